// Whether the port of the API can be had, before a server is made for it.

import { createServer } from 'node:net'
import type { Processes } from '../lib/process.ts'
import { UserError } from '../lib/user-error.ts'
import { ownAddresses } from './node-address.ts'
import type { Settings } from './options.ts'

/** Throws UserError that names the program which has the port, where that can be found out. */
export async function requirePort(
  settings: Pick<Settings, 'bind-address' | 'https-listen-port'>,
  processes: Processes,
  signal: AbortSignal,
): Promise<void> {
  const { 'bind-address': host, 'https-listen-port': port } = settings
  const error = await tryListen(host, port)
  switch (error?.code) {
    case undefined:
      return
    case 'EADDRINUSE': {
      const owner = await ownerOf(port, processes, signal)
      const by = owner === undefined ? '' : ` by ${owner}`
      throw new UserError(
        `--https-listen-port ${port}: is in use${by}: stop that program, or choose another port`,
      )
    }
    case 'EADDRNOTAVAIL':
      throw new UserError(
        `--bind-address ${host}: is no address of this machine: give one of ` +
          `${ownAddresses().join(', ')}, or 0.0.0.0 for all`,
      )
    case 'EACCES':
      throw new UserError(
        `--https-listen-port ${port}: not allowed: run as root, or choose a port above 1023`,
      )
    default:
      throw new UserError(`--bind-address ${host}: cannot listen there: ${error!.message}`)
  }
}

function tryListen(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/** `ss` tells; where it is not there, or we may not look, nobody does. */
async function ownerOf(port: number, processes: Processes, signal: AbortSignal) {
  try {
    const { stdout } = await processes.run(['ss', '-Hltnp', `sport = :${port}`], signal)
    return parseOwner(stdout)
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/** `kedge (process 4711)` out of `users:(("kedge",pid=4711,fd=12))`. Pure. */
export function parseOwner(listing: string): string | undefined {
  const [, name, pid] = /users:\(\("([^"]+)",pid=([0-9]+)/.exec(listing) ?? []
  return pid === undefined ? undefined : `${name} (process ${pid})`
}
