// Whom a container's first process runs as, from the pod, the image and the image's own files.

import { RuntimeError } from '../contract.ts'

export type UserFiles = {
  /** Text of /etc/passwd in the image; empty when there is none. */
  readonly passwd: string
  readonly group: string
}

export type UserWish = {
  readonly runAsUser: number | undefined
  readonly runAsGroup: number | undefined
  readonly supplementalGroups: readonly number[]
  /** Merge (default) takes the image's memberships too; Strict does not. */
  readonly groupsPolicy: string | undefined
  /** User of the image configuration: empty, `name`, `uid`, `name:group`, `uid:gid`. */
  readonly imageUser: string
}

export type User = { uid: number; gid: number; additionalGids: number[]; home: string }

/**
 * runAsUser wins over the image's user, runAsGroup over either one's group. A user that the image's
 * passwd does not know has group 0. Throws RuntimeError when the image names one that is not there.
 */
export function resolveUser(wish: UserWish, files: UserFiles): User {
  const [imageName = '', imageGroup] = wish.imageUser.split(':')
  const accounts = parseAccounts(files.passwd)
  const name = wish.runAsUser === undefined ? imageName || '0' : String(wish.runAsUser)
  const account = accounts.find((one) => one.name === name || String(one.uid) === name)
  const uid = account?.uid ?? numberOf(name)
  if (uid === undefined) throw unknown('user', name, 'passwd')
  const groups = parseGroups(files.group)
  const gid = wish.runAsGroup ?? imageGid(wish, imageGroup, groups) ?? account?.gid ?? 0
  const memberships = account
    ? groups.filter((group) => group.members.includes(account.name)).map((group) => group.gid)
    : []
  const merged = wish.groupsPolicy === 'Strict' ? [] : memberships
  const additional = [...new Set([gid, ...wish.supplementalGroups, ...merged])]
  return { uid, gid, additionalGids: additional, home: account?.home || '/' }
}

/** The group that the image asks for; it goes with the image's user, so not with another one. */
function imageGid(
  wish: UserWish,
  name: string | undefined,
  groups: readonly Group[],
): number | undefined {
  if (wish.runAsUser !== undefined || name === undefined || name === '') return undefined
  const gid = groups.find((group) => group.name === name)?.gid ?? numberOf(name)
  if (gid === undefined) throw unknown('group', name, 'group')
  return gid
}

/**
 * runAsNonRoot: undefined when the user is not root; otherwise what upstream says. Looks at the
 * image's configuration only, as upstream does: names are not trusted.
 */
export function nonRootProblem(
  runAsUser: number | undefined,
  imageUser: string,
): string | undefined {
  if (runAsUser !== undefined) {
    return runAsUser === 0 ? "container's runAsUser breaks non-root policy" : undefined
  }
  const name = imageUser.split(':')[0]!
  const uid = name === '' ? 0 : numberOf(name)
  if (uid === undefined) {
    const why = `image has non-numeric user (${name}), cannot verify user is non-root`
    return `container has runAsNonRoot and ${why}`
  }
  return uid === 0 ? 'container has runAsNonRoot and image will run as root' : undefined
}

type Account = { name: string; uid: number; gid: number; home: string }
type Group = { name: string; gid: number; members: string[] }

function parseAccounts(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':')
    const isWhole = numberOf(uid) !== undefined && numberOf(gid) !== undefined
    return isWhole ? [{ name, uid: Number(uid), gid: Number(gid), home }] : []
  })
}

function parseGroups(text: string): Group[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':')
    if (numberOf(gid) === undefined) return []
    return [{ name, gid: Number(gid), members: members.split(',') }]
  })
}

function numberOf(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined
}

function unknown(what: string, name: string, file: string): RuntimeError {
  const message = `unable to find ${what} ${name}: no matching entries in ${file} file`
  return new RuntimeError('CreateContainerError', message)
}
