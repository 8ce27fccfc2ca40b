import { describe, expect, test } from 'bun:test'
import {
  cidr,
  domain,
  fileMode,
  hostAddress,
  label,
  nodeName,
  port,
  portRange,
  serverName,
  serverUrl,
  taint,
} from './option-checks.ts'

type Check = (value: string | number) => string | undefined
const TABLE: readonly [Check, fine: (string | number)[], wrong: (string | number)[]][] = [
  [port, [1, 6443, 65535], [0, -1, 65536, 1.5]],
  [
    hostAddress,
    ['192.168.1.10', '10.0.0.1'],
    ['127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', '255.255.255.255', 'fd00::1', 'x'],
  ],
  [
    cidr,
    ['10.42.0.0/16', '10.42.7.0/24'],
    ['10.42.0.0', '10.42.0.0/25', 'fd00::/64', '10.0.0.0/33'],
  ],
  [nodeName, ['box1', 'a.b-c'], ['Box1', '-a', 'a_b', '', 'a'.repeat(64)]],
  [domain, ['cluster.local', 'k8s'], ['.local', 'a..b', 'A.b', 'a.b.', '-a']],
  [serverName, ['box.example.com', '10.0.0.1', 'fd00::1'], ['a b', 'https://x', '*']],
  [portRange, ['30000-32767'], ['30000', '32767-30000', '1-2-3', '0-10', 'a-b']],
  [fileMode, ['0600', '644'], ['0o600', '888', '06000', 'rw']],
  [
    serverUrl,
    ['https://10.0.0.1:6443', 'https://box', 'https://[fd00::1]:6443/'],
    ['http://box:6443', 'box:6443', 'https://box/path', 'https://a@box', 'https://box/?x=1', ''],
  ],
  [label, ['disk=ssd', 'example.com/a=', 'a=b.c'], ['disk', '=x', 'a/b/c=d', 'a=b c', 'a=-']],
  [
    taint,
    ['a:NoSchedule', 'a=b:NoExecute', 'example.com/a=b:PreferNoSchedule'],
    ['a=b', 'a', ':NoSchedule', 'a=b:Never', 'a=b c:NoSchedule'],
  ],
]

describe('a check', () => {
  for (const [check, fine, wrong] of TABLE) {
    test(`of ${check.name} takes what fits and says how to mend the rest`, () => {
      for (const value of fine) expect([value, check(value)]).toEqual([value, undefined])
      for (const value of wrong) expect([value, check(value)]).toEqual([value, expect.any(String)])
    })
  }
})
