// Removes bootstrap tokens on the day they expire.

import { secrets } from '../../api/kinds/core/secret/row.ts'
import type { Secret } from '../../api/schema/generated/types.ts'
import { parseTime, TimeError } from '../../api/time.ts'
import { defineController } from '../../kit/controller.ts'

const TYPE = 'bootstrap.kubernetes.io/token'

/** When the token ends, in ms since 1970; undefined when it never does. Unreadable means now. */
function expiryMs({ data }: Secret): number | undefined {
  const expiration = Buffer.from(data?.expiration ?? '', 'base64').toString('utf8')
  if (expiration === '') return undefined
  try {
    return parseTime(expiration)
  } catch (error) {
    if (error instanceof TimeError) return Number.NEGATIVE_INFINITY
    throw error
  }
}

export const tokenCleanerController = defineController<Secret>({
  name: 'token-cleaner',
  reconciles: secrets,
  workers: 1,
  only: [{ row: secrets, selection: { namespace: 'kube-system', fieldSelector: `type=${TYPE}` } }],

  async reconcile(token, { writer, clock }, signal) {
    if (token.type !== TYPE) return
    const endMs = expiryMs(token)
    if (endMs === undefined) return
    const leftMs = endMs - clock.nowMs()
    if (leftMs > 0) return { requeueInMs: leftMs }
    await writer.remove(secrets, token, {}, signal)
  },
})
