// Runs a file of tests in network, mount and process namespaces of its own: whatever it makes of
// processes, mounts, links and rules is gone when it ends, however it ends.

const ISOLATE = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
/** Process 1 must reap orphans, or containers that had one never end. The shell does, Bun does not. */
const INIT = ['sh', '-c', '"$@"; exit $?', 'sh']

/** Why such tests cannot run here; undefined when they can. */
export function cannotIsolate(programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'root is needed'
  const missing = [...programs, 'unshare', 'nsenter'].filter((name) => !Bun.which(name))
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined
}

/** Throws with everything it printed when a test of the file fails, or none was run. */
export async function runIsolated(file: string): Promise<void> {
  const argv = [...ISOLATE, ...INIT, process.execPath, 'test', '--timeout', '60000', file]
  const child = Bun.spawn(argv, { stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ])
  const passed = Number(/^ (\d+) pass$/m.exec(stderr)?.[1] ?? 0)
  if (code !== 0 || passed === 0)
    throw new Error(`${file}: exit code ${code}\n${stdout}\n${stderr}`)
}
