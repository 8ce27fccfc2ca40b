// The resolver outside the cluster, for the recorded and for ours.

import { decode, encode } from 'dns-packet'
import { OUTSIDE } from './world.ts'

/** As one that knows what OUTSIDE says, and that nothing else exists. */
export function outside(bytes: Uint8Array): Uint8Array {
  const query = decode(Buffer.from(bytes))
  const [{ name, type }] = query.questions as [{ name: string; type: string }]
  const address = OUTSIDE[name.toLowerCase()]
  const rcode = address === undefined ? 3 : 0
  const isKnown = address !== undefined && type === 'A'
  return encode({
    type: 'response', id: query.id ?? 0, questions: query.questions ?? [],
    flags: 256 | 128 | rcode,
    answers: isKnown ? [{ type: 'A', name, ttl: 60, data: address }] : [],
  })
}
