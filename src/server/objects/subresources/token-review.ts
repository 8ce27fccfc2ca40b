// TokenReview: whose token is this? SelfSubjectReview: who am I?

import type { UserInfo } from '../../../api/resource.ts'
import type { TokenReview } from '../../../api/schema/generated/types.ts'
import { badRequest } from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import type { ResourceRequest } from '../../server.ts'
import type { Action } from './action.ts'

export const tokenReview: Action = {
  steps({ request, body }) {
    const review = body as unknown as TokenReview
    return {
      prepare() {
        delete review.status
        if (!review.spec.token) {
          throw badRequest('token is required for TokenReview in authentication')
        }
        return body
      },
      store() {
        review.status = tokenStatus(request, review)
        return review
      },
    }
  },
}

function tokenStatus(
  { server }: ResourceRequest,
  { spec }: TokenReview,
): NonNullable<TokenReview['status']> {
  const { token = '', audiences = [] } = spec
  const asked = audiences.length > 0 ? audiences : [server.issuer]
  const found = server.serviceAccounts.identify(token, asked)
  const user =
    found?.user ??
    (asked.includes(server.issuer) ? server.bootstrapTokens.userOf(token) : undefined)
  if (user === undefined) return { user: {}, error: 'invalid bearer token' }
  return {
    authenticated: true,
    user: shownUser(user),
    audiences: [...(found?.audiences ?? [server.issuer])],
  }
}

export const selfReview: Action = {
  steps: ({ request, body }) => ({
    store() {
      const { server, user } = request
      const creationTimestamp = formatTime(server.clock.nowMs())
      const { kind, apiVersion } = body
      const status = { userInfo: shownUser(user) }
      return { kind, apiVersion, metadata: { creationTimestamp }, status }
    },
  }),
}

function shownUser({ username, uid, groups, extra }: UserInfo) {
  return {
    username,
    ...(uid ? { uid } : {}),
    ...(groups.length > 0 ? { groups: [...groups] } : {}),
    ...(extra && Object.keys(extra).length > 0 ? { extra: mutable(extra) } : {}),
  }
}

function mutable(extra: NonNullable<UserInfo['extra']>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]]))
}
