import { expect, test } from 'bun:test'
import { CAPABILITIES, parseCapabilityMask, planCapabilities } from './capabilities.ts'
import { defaultSeccomp } from './seccomp-default.ts'
import { nonRootProblem, resolveUser } from './users.ts'

const all = new Set(CAPABILITIES)
const plan = (add: string[], drop: string[]) =>
  planCapabilities({ privileged: false, add, drop }, all)

test('fourteen capabilities are the default', () => {
  expect(plan([], [])).toHaveLength(14)
})

test('single names decide over ALL, and dropping over adding', () => {
  expect(plan(['ALL'], [])).toEqual(CAPABILITIES)
  expect(plan([], ['ALL'])).toEqual([])
  expect(plan(['SYS_TIME'], ['ALL'])).toEqual(['CAP_SYS_TIME'])
  expect(plan(['ALL'], ['SYS_TIME'])).not.toContain('CAP_SYS_TIME')
  expect(plan(['sys_time'], [])).toContain('CAP_SYS_TIME')
  expect(plan(['CAP_SYS_TIME'], ['SYS_TIME'])).not.toContain('CAP_SYS_TIME')
})

test('nobody gets what the agent does not have', () => {
  const without = new Set(CAPABILITIES.filter((name) => name !== 'CAP_SYS_RESOURCE'))
  const wish = { privileged: true, add: [], drop: [] }
  expect(planCapabilities(wish, without)).not.toContain('CAP_SYS_RESOURCE')
})

test('the mask of a process is read bit by bit', () => {
  expect([...parseCapabilityMask('0000000000000001')]).toEqual(['CAP_CHOWN'])
  expect(parseCapabilityMask('000001fffeffffff').has('CAP_SYS_RESOURCE')).toBe(false)
  expect(parseCapabilityMask('000001ffffffffff').size).toBe(41)
})

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/www:/bin/sh\nbroken\n',
  group: 'web:x:1001:\ndisk:x:6:web,other\naudio:x:29:web\n',
}
const wish = {
  runAsUser: undefined,
  runAsGroup: undefined,
  supplementalGroups: [],
  groupsPolicy: undefined,
  imageUser: '',
}

test('an image without a user runs as root', () => {
  expect(resolveUser(wish, files)).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '/root' })
})

test('a named user is looked up with its groups', () => {
  const user = { uid: 1000, gid: 1001, additionalGids: [1001, 6, 29], home: '/www' }
  expect(resolveUser({ ...wish, imageUser: 'web' }, files)).toEqual(user)
  expect(resolveUser({ ...wish, imageUser: '1000' }, files)).toEqual(user)
})

test('a number is an id, whatever accounts of that name the image has', () => {
  const hostile = {
    passwd: '1000:x:0:0::/root:\n0:x:5:5::/:\nweb:x:1000:1001::/www:\n7:x:0:0::/:\n',
    group: '1001:x:0:1000\n8:x:0:\nwheel:x:10:1000\ndisk:x:6:web\n',
  }
  const asked = [
    [{ runAsUser: 1000 }, { uid: 1000, gid: 1001, additionalGids: [1001, 6] }],
    [{ runAsUser: 7 }, { uid: 7, gid: 0, additionalGids: [0] }],
    [{ imageUser: '1000' }, { uid: 1000, gid: 1001 }],
    [{ imageUser: '7:8' }, { uid: 7, gid: 8 }],
    [{ imageUser: '' }, { uid: 0, gid: 0 }],
    [{ imageUser: 'web:1001' }, { uid: 1000, gid: 1001 }],
  ] as const
  for (const [more, user] of asked) {
    expect(resolveUser({ ...wish, ...more }, hostile)).toMatchObject(user)
  }
})

test('ids that nobody can have are refused, in the image and in its files', () => {
  for (const imageUser of ['4294967296', '2147483648', `${2 ** 60}`, '1:4294967296']) {
    expect(() => resolveUser({ ...wish, imageUser }, files)).toThrow('must be in range')
  }
  const wrapped = { passwd: 'big:x:4294967296:0::/:\nneg:x:-1:0::/:\nhex:x:0x0:0::/:\n', group: '' }
  for (const imageUser of ['big', 'neg', 'hex', '-1', '0x0', ' 0', '+0']) {
    expect(() => resolveUser({ ...wish, imageUser }, wrapped)).toThrow('unable to find user')
  }
})

test('no spelling of root passes for another user', () => {
  for (const imageUser of ['', '0', '00', '000000000000000000', ':', ':5', '0:5']) {
    expect(nonRootProblem(undefined, imageUser)).toContain('image will run as root')
    expect(resolveUser({ ...wish, imageUser }, files).uid).toBe(0)
  }
  for (const imageUser of ['root', '+0', '0x0', ' 0', '-0']) {
    expect(nonRootProblem(undefined, imageUser)).toContain('non-numeric user')
  }
})

test('an image cannot fill the status of a pod with groups', () => {
  const group = Array.from({ length: 2000 }, (_, i) => `g${i}:x:${i}:web`).join('\n')
  expect(() => resolveUser({ ...wish, imageUser: 'web' }, { ...files, group })).toThrow(
    'user 1000 is a member of more than 1024 groups of the image',
  )
})

test('a group beside the user wins over that of the account', () => {
  expect(resolveUser({ ...wish, imageUser: 'web:disk' }, files).gid).toBe(6)
  expect(resolveUser({ ...wish, imageUser: '7:8' }, files)).toMatchObject({ uid: 7, gid: 8 })
})

test('the user of the pod drops that of the image, with its group', () => {
  const user = resolveUser({ ...wish, imageUser: 'web:disk', runAsUser: 2000 }, files)
  expect(user).toEqual({ uid: 2000, gid: 0, additionalGids: [0], home: '/' })
})

test('memberships of the image are left out when the pod is strict', () => {
  const strict = { ...wish, imageUser: 'web', groupsPolicy: 'Strict', supplementalGroups: [50] }
  expect(resolveUser(strict, files).additionalGids).toEqual([1001, 50])
})

test('a user or group that is nowhere is named', () => {
  expect(() => resolveUser({ ...wish, imageUser: 'ghost' }, files)).toThrow(
    'unable to find user ghost: no matching entries in passwd file',
  )
  expect(() => resolveUser({ ...wish, imageUser: 'web:ghost' }, files)).toThrow(
    'unable to find group ghost: no matching entries in group file',
  )
})

test('only numbers prove that an image does not run as root', () => {
  expect(nonRootProblem(1, '')).toBeUndefined()
  expect(nonRootProblem(0, '1000')).toContain('breaks non-root policy')
  expect(nonRootProblem(undefined, '1000:1000')).toBeUndefined()
  expect(nonRootProblem(undefined, '')).toContain('will run as root')
  expect(nonRootProblem(undefined, '0')).toContain('will run as root')
  expect(nonRootProblem(undefined, 'web')).toContain('non-numeric user (web)')
})

test('the default seccomp profile opens with capabilities', () => {
  const names = (capabilities: string[]) =>
    new Set(
      defaultSeccomp(capabilities, 'x64')
        .syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined)
        .flatMap((rule) => rule.names),
    )
  expect(names([]).has('openat')).toBe(true)
  expect(names([]).has('mount')).toBe(false)
  expect(names(['CAP_SYS_ADMIN']).has('mount')).toBe(true)
  expect(names([]).has('arch_prctl')).toBe(true)
  const refused = defaultSeccomp([], 'arm64').syscalls.find((rule) => rule.names[0] === 'clone3')
  expect(refused).toMatchObject({ action: 'SCMP_ACT_ERRNO', errnoRet: 38 })
})
