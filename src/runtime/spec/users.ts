// Whom a container's first process runs as, from the pod, the image and the image's own files.

import { ContainerError } from '../../api/pod/container-error.ts'

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

/** Of uids and gids, as runc has it. */
const ID_MAX = 2 ** 31 - 1
/** Of one user in the image's group file; all of them stand in the status of the pod. */
const MEMBERSHIPS_MAX = 1024

/**
 * runAsUser wins over the image's user, runAsGroup over either one's group. A number is an id and
 * never a name, whatever accounts the image has. A user that the image's passwd does not know has
 * group 0. Throws ContainerError when the image names one that is not there.
 */
export function resolveUser(wish: UserWish, files: UserFiles): User {
  const [imageName = '', imageGroup] = wish.imageUser.split(':')
  const accounts = parseAccounts(files.passwd)
  const id = wish.runAsUser ?? idOf(imageName === '' ? '0' : imageName)
  const account =
    id === undefined
      ? accounts.find((one) => one.name === imageName)
      : accounts.find((one) => one.uid === id)
  const uid = id ?? account?.uid
  if (uid === undefined) throw unknown('user', imageName, 'passwd')
  const groups = parseGroups(files.group)
  const gid = wish.runAsGroup ?? imageGid(wish, imageGroup, groups) ?? account?.gid ?? 0
  const merged =
    wish.groupsPolicy === 'Strict' || account === undefined ? [] : membershipsOf(account, groups)
  const additional = [...new Set([gid, ...wish.supplementalGroups, ...merged])]
  return { uid, gid, additionalGids: additional, home: account?.home || '/' }
}

function membershipsOf(account: Account, groups: readonly Group[]): number[] {
  const gids = new Set(
    groups.filter(({ members }) => members.includes(account.name)).map(({ gid }) => gid),
  )
  if (gids.size <= MEMBERSHIPS_MAX) return [...gids]
  const message = `user ${account.uid} is a member of more than ${MEMBERSHIPS_MAX} groups of the image`
  throw new ContainerError('CreateContainerError', message)
}

/** The group that the image asks for; it goes with the image's user, so not with another one. */
function imageGid(
  wish: UserWish,
  name: string | undefined,
  groups: readonly Group[],
): number | undefined {
  if (wish.runAsUser !== undefined || name === undefined || name === '') return undefined
  const gid = idOf(name) ?? groups.find((group) => group.name === name)?.gid
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
  if (name !== '' && !isNumber(name)) {
    const why = `image has non-numeric user (${name}), cannot verify user is non-root`
    return `container has runAsNonRoot and ${why}`
  }
  return Number(name) === 0 ? 'container has runAsNonRoot and image will run as root' : undefined
}

type Account = { name: string; uid: number; gid: number; home: string }
type Group = { name: string; gid: number; members: string[] }

function parseAccounts(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':', 7)
    if (name === '' || !isId(uid) || !isId(gid)) return []
    return [{ name, uid: Number(uid), gid: Number(gid), home }]
  })
}

function parseGroups(text: string): Group[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':', 4)
    return name === '' || !isId(gid)
      ? []
      : [{ name, gid: Number(gid), members: members.split(',') }]
  })
}

/** Undefined for a name. Throws ContainerError for a number that nobody can have. */
function idOf(text: string): number | undefined {
  if (!isNumber(text)) return undefined
  if (isId(text)) return Number(text)
  const message = `uids and gids must be in range 0-${ID_MAX}: ${text.slice(0, 64)}`
  throw new ContainerError('CreateContainerError', message)
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text)
}

function isId(text: string): boolean {
  return isNumber(text) && Number(text) <= ID_MAX
}

function unknown(what: string, name: string, file: string): ContainerError {
  const message = `unable to find ${what} ${name.slice(0, 64)}: no matching entries in ${file} file`
  return new ContainerError('CreateContainerError', message)
}
