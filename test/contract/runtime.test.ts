// The runtime's contract, for the fake here and for the real one in a machine of its own.

import { expect, test } from 'bun:test'
import { SystemClock } from '../../src/lib/clock.ts'
import { FakeImages, FakeRuntime } from '../support/fake-runtime.ts'
import { type RuntimeWorld, runtimeContract } from './runtime.contract.ts'

async function fakeWorld(): Promise<RuntimeWorld> {
  const runtime = new FakeRuntime(new SystemClock())
  const exitCode = (command: readonly string[] | undefined) =>
    /^exit (\d+)$/.exec(command?.at(-1) ?? '')?.[1]
  runtime.onStart = ({ command }) => {
    const code = exitCode(command)
    return code === undefined ? undefined : Number(code)
  }
  runtime.onExec = (_, command) => ({ exitCode: Number(exitCode(command)) })
  runtime.ignoresStop = ({ id }) =>
    runtime.configs.get(id)?.command?.some((part) => part.includes('trap')) ?? false
  const image = (await new FakeImages().find('kedge-test/busybox:1'))!
  const nothing = async () => {}
  return { runtime, image, folder: '/fake', cgroupParent: 'x', restart: nothing, close: nothing }
}

runtimeContract('a fake runtime', fakeWorld)

/** Why the real runtime cannot be tested here; undefined when it can. */
function cannotRun(): string | undefined {
  if (process.getuid?.() !== 0) return 'root is needed'
  const programs = ['containerd', 'ctr', 'runc', 'nft', 'ip', 'unshare', 'busybox']
  const missing = programs.filter((name) => !Bun.which(name))
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined
}

// Everything the real runtime makes dies with the namespaces of this one process.
const ISOLATED = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
const reason = cannotRun()
if (reason !== undefined) console.log(`skipped: tests of the real runtime (${reason})`)

test.skipIf(reason !== undefined)(
  'the real runtime keeps its contract',
  async () => {
    const suite = './test/contract/runtime.real.ts'
    const child = Bun.spawn([...ISOLATED, process.execPath, 'test', '--timeout', '60000', suite], {
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ])
    if (code !== 0) throw new Error(`${stdout}\n${stderr}`)
    expect(stderr).toContain(' 0 fail')
  },
  300_000,
)
