// A slow disk on a fast machine: strace makes every sync of a process take longer, the way an SD
// card does.

export function canSlow(): boolean {
  return Bun.which('strace') !== null
}

/** The command, with `delayMs` added to each sync; itself when there is nothing to add. */
export function slowed(argv: readonly string[], delayMs: number): string[] {
  if (delayMs === 0) return [...argv]
  const calls = 'fdatasync,fsync'
  return [
    // With -D the tracer is the child, so that signals reach the command.
    ...['strace', '-D', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null'],
    ...['-e', `trace=${calls}`, '-e', `inject=${calls}:delay_exit=${delayMs * 1000}`],
    ...argv,
  ]
}
