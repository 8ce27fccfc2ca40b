// Why a server could not be asked, in words that say what to look at. Pure.

import { describeError } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'

const REASONS: readonly (readonly [sign: RegExp, why: string])[] = [
  [/ECONNREFUSED/, 'nobody listens there: check the address, and that kedge server runs there'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no way to it: check the address and the network'],
  [/ENOTFOUND|EAI_/, 'its name is not known here: check it, or give the address as a number'],
  [/took longer than/, 'does not answer: check the address, and that no firewall is in between'],
]

/** Goes behind the address: `https://box:6443: nobody listens there: …`. */
export function whyUnreachable(error: unknown): string {
  if (error instanceof UserError) return error.message
  const text = describeError(error)
  const [, why] = REASONS.find(([sign]) => sign.test(text)) ?? []
  return why ?? `cannot be reached (${text}): check the address, and what lies in between`
}
