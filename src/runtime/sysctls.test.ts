import { expect, test } from 'bun:test'
import { sysctlList, sysctlPath, sysctlPatternProblem, sysctlProblem } from '../api/pod/sysctls.ts'
import { planSysctls } from './sandbox.ts'

const own = { hostNetwork: false, hostIpc: false }
const HOST_WIDE = [
  ...[
    'kernel.core_pattern',
    'kernel/core_pattern',
    'vm.stat_interval',
    'kernel.printk',
    'fs.file-max',
  ],
  ...[
    'kernel.shmfoo',
    'kernel.modprobe',
    'kernel.hostname',
    'user.max_user_namespaces',
    'net',
    'dev.x',
  ],
]
const CROOKED = [
  'net.ipv4/../../kernel/core_pattern',
  'net..x',
  'net.',
  '/net/ipv4',
  'net.a b',
  'net.A',
]

test('what belongs to the node is on no list and is never written', () => {
  for (const name of [...HOST_WIDE, ...CROOKED]) {
    expect(sysctlProblem(sysctlList('6.1.0', []), name, own)).toEndWith('not allowlisted')
    expect(() => planSysctls(['net', 'uts', 'ipc'], { [name]: '1' })).toThrow(
      'is not of a namespace of the pod',
    )
  }
  for (const name of HOST_WIDE) expect(sysctlPatternProblem(name)).toBeDefined()
})

test('a namespace that the pod shares with the node is never written', () => {
  expect(() => planSysctls(['ipc'], { 'net.ipv4.tcp_syncookies': '0' })).toThrow()
  expect(() => planSysctls(['net', 'uts'], { 'kernel.msgmax': '1' })).toThrow()
  expect([...planSysctls(['ipc'], { 'kernel.msgmax': '1' })]).toEqual([['kernel.msgmax', '1']])
  const names = [...planSysctls(['net', 'uts'], { 'net/ipv4/ping_group_range': '1 2' })]
  expect(names).toEqual([
    ['net.ipv4.ip_unprivileged_port_start', '0'],
    ['net.ipv4.ping_group_range', '1 2'],
  ])
})

test('patterns allow what they name, in every spelling', () => {
  const list = sysctlList('6.1.0', ['net.core.*', 'kernel.msg*', 'fs.mqueue.msg_max'])
  for (const name of [
    'net.core.somaxconn',
    'net/core/somaxconn',
    'kernel.msgmnb',
    'fs/mqueue/msg_max',
  ]) {
    expect(sysctlProblem(list, name, own)).toBeUndefined()
  }
  for (const name of ['net.ipv4.ip_forward', 'fs.mqueue.queues_max', 'kernel.sem']) {
    expect(sysctlProblem(list, name, own)).toBe(`"${name}" not allowlisted`)
  }
  expect(sysctlPatternProblem('*')).toBe('the sysctls "" are not known to be namespaced')
  expect(sysctlPatternProblem('kernel.*')).toContain('not known to be namespaced')
  expect(sysctlPatternProblem('Net.x')).toContain('must have at most 253 characters')
})

test('a kernel that keeps a setting for the whole node does not offer it', () => {
  const old = sysctlList('4.4.0-rc1', [])
  expect(sysctlProblem(old, 'net.ipv4.tcp_rmem', own)).toBeDefined()
  expect(sysctlProblem(old, 'net.ipv4.tcp_syncookies', own)).toBeUndefined()
  expect(sysctlProblem(sysctlList('4.15', []), 'net.ipv4.tcp_rmem', own)).toBeUndefined()
})

test('a dot within a part of a name is a slash in its other spelling', () => {
  expect(sysctlPath('net.ipv4.conf.eno2/100.rp_filter')).toBe(
    '/proc/sys/net/ipv4/conf/eno2.100/rp_filter',
  )
})
