// The name and address of this machine, when nobody says them.

import { hostname, networkInterfaces } from 'node:os'
import type { Processes } from '../lib/process.ts'
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
  const told = settings['node-ip']
  if (told !== undefined) return requireOwn(told)
  const argv = ['ip', '-json', '-4', 'route', 'get', '192.0.2.1']
  const { exitCode, stdout } = await processes.run(argv, signal)
  if (exitCode === 0) return JSON.parse(stdout)[0].prefsrc
  const [first] = ownAddresses()
  if (first !== undefined) return first
  throw new UserError('this machine has no IPv4 address: connect it, or give one with --node-ip')
}

/** Packets to an address that is elsewhere would never come here. */
function requireOwn(address: string): string {
  const own = ownAddresses()
  if (own.includes(address)) return address
  const choice = own.length > 0 ? `: give one of ${own.join(', ')}` : ''
  throw new UserError(`--node-ip ${address}: is no address of this machine${choice}`)
}

/** IPv4 addresses of this machine that others can reach, in no order that means anything. */
export function ownAddresses(): string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !OURS.includes(name))
    .flatMap(([, list]) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
}

/** Interfaces that come with kedge say nothing about where the machine is. */
const OURS = ['kedge0', 'kedge-dns', 'kedge-vxlan']
