// Speaking for somebody else: headers say for whom, roles say who may.
//
// Two ways, tried in turn: constrained (KEP-5284), where the right is for one kind of user and one
// verb of the request at hand, and the old one, where `impersonate` lets one do all that they may.

import type { UserInfo } from '../../api/resource.ts'
import { type ApiError, badRequest } from '../../api/status.ts'
import type { Access, Authorizer } from '../authz/authorizer.ts'
import { forbiddenAccess } from '../authz/request-access.ts'
import type { Call } from '../transport/call.ts'
import { extrasOf } from './certificates.ts'

const EXTRA = 'impersonate-extra-'
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/
const NODE = /^system:node:(.+)$/
const AUTHENTICATED = 'system:authenticated'
const UNAUTHENTICATED = 'system:unauthenticated'

type Wanted = {
  username: string
  groups: readonly string[]
  uid: string
  extra: Readonly<Record<string, readonly string[]>>
}

type Mode = { name: string; fits(wanted: Wanted): boolean }

const isPlain = ({ groups, uid, extra }: Wanted) =>
  groups.length === 0 && uid === '' && Object.keys(extra).length === 0

const CONSTRAINED: readonly Mode[] = [
  { name: 'arbitrary-node', fits: (wanted) => NODE.test(wanted.username) && isPlain(wanted) },
  {
    name: 'serviceaccount',
    fits: (wanted) => SERVICE_ACCOUNT.test(wanted.username) && isPlain(wanted),
  },
  {
    name: 'user-info',
    fits: ({ username }) => !NODE.test(username) && !SERVICE_ACCOUNT.test(username),
  },
]

/**
 * Whom the request is to be carried out as; `access` is what it asks for. Throws 403 when the user
 * may not speak for them.
 */
export function impersonated(call: Call, access: Access, authorizer: Authorizer): UserInfo {
  const wanted = wantedIn(call)
  if (wanted === undefined) return access.user
  const faults: ApiError[] = []
  const ask = (question: Access) => {
    const decision = authorizer.decide(question)
    if (!decision.allowed) throw forbiddenAccess(question, decision.reason)
  }
  for (const mode of [...CONSTRAINED.filter(({ fits }) => fits(wanted)), undefined]) {
    try {
      if (mode !== undefined) ask({ ...access, verb: `impersonate-on:${mode.name}:${access.verb}` })
      for (const question of questions(access.user, wanted, mode)) ask(question)
      return userOf(wanted, mode)
    } catch (error) {
      faults.push(error as ApiError)
    }
  }
  throw faults[0]
}

/** Undefined for a request that speaks for itself. Throws 400 for one that names nobody. */
function wantedIn(call: Call): Wanted | undefined {
  const username = call.header('impersonate-user') ?? ''
  const uid = call.header('impersonate-uid') ?? ''
  const hasGroups = call.header('impersonate-group') !== undefined
  const groups = hasGroups ? linesOf(call, 'impersonate-group') : []
  if (username === '' && uid === '' && groups.length === 0) return undefined
  const extra = extrasOf(call, EXTRA)
  if (username !== '') return { username, groups, uid, extra }
  const list =
    groups.length === 0 ? '(nil)' : `{${groups.map((g) => JSON.stringify(g)).join(', ')}}`
  const fields = `UID:${JSON.stringify(uid)}, Groups:[]string${list}`
  const user = `&user.DefaultInfo{Name:"", ${fields}, Extra:map[string][]string(nil)}`
  throw badRequest(`requested ${user} without impersonating a user name`)
}

function linesOf(call: Call, name: string): string[] {
  return [...call.headers()].flatMap(([known, value]) => (known === name ? [value] : []))
}

const AUTHENTICATION = 'authentication.k8s.io'

function* questions(user: UserInfo, wanted: Wanted, mode: Mode | undefined): Generator<Access> {
  const verb = mode === undefined ? 'impersonate' : `impersonate:${mode.name}`
  const about = (resource: string, name: string, group: string, namespace = ''): Access => {
    const [plural = '', subresource = ''] = resource.split('#')
    return {
      user,
      verb,
      isResource: true,
      group,
      version: 'v1',
      resource: plural,
      subresource,
      namespace,
      name,
    }
  }
  const group = mode === undefined ? '' : AUTHENTICATION
  const account = SERVICE_ACCOUNT.exec(wanted.username)
  const node = mode === undefined ? null : NODE.exec(wanted.username)
  if (account) yield about('serviceaccounts', account[2]!, group, account[1]!)
  else if (node) yield about('nodes', node[1]!, group)
  else yield about('users', wanted.username, group)
  if (wanted.uid !== '') yield about('uids', wanted.uid, AUTHENTICATION)
  for (const name of wanted.groups) yield about('groups', name, group)
  for (const [key, values] of Object.entries(wanted.extra)) {
    for (const value of values) yield about(`userextras#${key}`, value, AUTHENTICATION)
  }
}

function userOf({ username, groups, uid, extra }: Wanted, mode: Mode | undefined): UserInfo {
  return {
    username,
    groups: withEverybody(username, fixedGroups(username, mode) ?? groups, groups),
    ...(uid === '' ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  }
}

/** Of service accounts always, of nodes where the mode is about them. */
function fixedGroups(username: string, mode: Mode | undefined): string[] | undefined {
  const account = SERVICE_ACCOUNT.exec(username)
  if (account) return ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
  return mode !== undefined && NODE.test(username) ? ['system:nodes'] : undefined
}

/** Groups that were asked for stand instead of the fixed ones. */
function withEverybody(
  username: string,
  fixed: readonly string[],
  asked: readonly string[],
): string[] {
  const groups = asked.length > 0 ? [...asked] : [...fixed]
  if (groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED)) return groups
  return [...groups, username === 'system:anonymous' ? UNAUTHENTICATED : AUTHENTICATED]
}
