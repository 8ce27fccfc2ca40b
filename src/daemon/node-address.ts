// The name and address of this machine, when nobody says them.

import { hostname, networkInterfaces } from 'node:os'
import { type Processes, runOk } from '../lib/process.ts'
import { UserError } from '../lib/user-error.ts'
import type { Settings } from './options.ts'

/** The host name as a node name: lower case, letters that are not allowed made dashes. */
export function nodeNameOf(settings: Settings): string {
  const name =
    settings['node-name'] ??
    hostname()
      .toLowerCase()
      .replace(/[^a-z0-9.-]/g, '-')
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) return name
  throw new UserError(`the host name "${hostname()}" cannot name a node: give one with --node-name`)
}

/**
 * The address that packets to the world leave by; without a default route the first that is not
 * of the loopback. Throws UserError when there is none.
 */
export async function nodeIpOf(
  settings: Settings,
  processes: Processes,
  signal: AbortSignal,
): Promise<string> {
  if (settings['node-ip'] !== undefined) return settings['node-ip']
  const argv = ['ip', '-json', '-4', 'route', 'get', '192.0.2.1']
  const { exitCode, stdout } = await processes.run(argv, signal)
  if (exitCode === 0) return JSON.parse(stdout)[0].prefsrc
  const ours = ['lo', 'kedge0', 'kedge-dns']
  const others = Object.entries(networkInterfaces()).filter(([name]) => !ours.includes(name))
  const addresses = others
    .flatMap(([, list]) => list ?? [])
    .filter(({ family }) => family === 'IPv4')
  const [first] = addresses
  if (first !== undefined) return first.address
  throw new UserError('this machine has no IPv4 address: connect it, or give one with --node-ip')
}

/** Fails early, with the way out, when a program we cannot do without is not there. */
export async function requirePrograms(
  programs: Readonly<Record<string, string>>,
  processes: Processes,
  signal: AbortSignal,
): Promise<void> {
  for (const [program, packageName] of Object.entries(programs)) {
    try {
      await runOk(processes, ['sh', '-c', 'command -v "$0"', program], signal)
    } catch {
      // Whatever the reason, it cannot be run.
      throw new UserError(`${program} is not there: install it with apt-get install ${packageName}`)
    }
  }
}
