// Gives containers our FIFOs as their output, without anything of ours in between.
//
// `ctr run --detach` reads the container's output itself until it exits, and what it had read but
// not printed is lost with it. So ctr and the shim are told that there is no output, and the
// program that the shim runs as runc is this one: it opens our FIFOs and becomes runc. Nothing
// copies the bytes. Opened for reading and writing, an output never breaks while the agent is away.

export const RUNC_WRAPPER = 'runc'

/** A POSIX shell script. `fifoRoot` holds one folder per container: out, err, and for
 * input `in`, which never ends, or `once`, which ends when we close it. */
export function runcWrapper(fifoRoot: string): string {
  if (!/^[\w./-]+$/.test(fifoRoot)) throw new Error(`unusual characters in ${fifoRoot}`)
  return `#!/bin/sh
# Written by kedge. Becomes runc; a container that is created gets its output from FIFOs.
case " $* " in
*" create "*)
  for id; do :; done
  io=${fifoRoot}/$id
  if [ -p "$io/once" ]; then exec runc "$@" 0<"$io/once" 1<>"$io/out" 2<>"$io/err"; fi
  if [ -p "$io/in" ]; then exec runc "$@" 0<>"$io/in" 1<>"$io/out" 2<>"$io/err"; fi
  if [ -p "$io/out" ]; then exec runc "$@" 0</dev/null 1<>"$io/out" 2<>"$io/err"; fi
  ;;
esac
exec runc "$@"
`
}
