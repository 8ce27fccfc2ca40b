// What a stream is for that the server opens over a node's tunnel.

import { parseIp } from '../lib/ip.ts'

/** The node's own HTTP API, or a connection from the node to an address that it reaches. */
export type StreamPurpose = { to: 'node' } | { to: 'address'; host: string; port: number }

export function formatPurpose(purpose: StreamPurpose): string {
  return JSON.stringify(purpose)
}

/** Undefined for what is not understood: from a server that speaks otherwise. */
export function parsePurpose(text: string): StreamPurpose | undefined {
  try {
    const { to, host, port } = JSON.parse(text)
    if (to === 'node') return { to }
    // No name: what it stands for could change between the server's look at it and ours.
    const isAddress = to === 'address' && typeof host === 'string' && parseIp(host) !== undefined
    return isAddress && Number.isInteger(port) ? { to, host, port } : undefined
  } catch {
    // The stream is refused.
    return undefined
  }
}
