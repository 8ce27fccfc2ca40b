// TokenReview: whose token is this? SelfSubjectReview: who am I?

import type { UserInfo } from '../../../api/resource.ts'
import type { TokenReview } from '../../../api/schema/generated/types.ts'
import { badRequest } from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import { rendered } from '../../response/form.ts'
import type { ResourceRequest } from '../../server.ts'
import type { Answer } from '../../transport/call.ts'
import { readReview } from './review.ts'

export async function reviewToken(request: ResourceRequest): Promise<Answer> {
  const { server } = request
  const { body, form } = await readReview(request)
  const review = body as unknown as TokenReview
  const { token, audiences = [] } = review.spec
  if (!token) throw badRequest('token is required for TokenReview in authentication')
  const asked = audiences.length > 0 ? audiences : [server.issuer]
  const found = server.serviceAccounts.identify(token, asked)
  const user =
    found?.user ?? (asked.includes(server.issuer) ? tokenUser(request, token) : undefined)
  if (user === undefined) {
    review.status = { user: {}, error: 'invalid bearer token' }
  } else {
    review.status = {
      authenticated: true,
      user: shownUser(user),
      audiences: [...(found?.audiences ?? [server.issuer])],
    }
  }
  return rendered(201, review, form)
}

function tokenUser({ server }: ResourceRequest, token: string): UserInfo | undefined {
  return server.bootstrapTokens.userOf(token)
}

export async function reviewSelf(request: ResourceRequest): Promise<Answer> {
  const { form, body } = await readReview(request)
  const { server, user } = request
  const creationTimestamp = formatTime(server.clock.nowMs())
  const { kind, apiVersion } = body
  const status = { userInfo: shownUser(user) }
  return rendered(201, { kind, apiVersion, metadata: { creationTimestamp }, status }, form)
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
