import { describe, expect, test } from 'bun:test'
import { applyHostSettings, type HostFiles, hostSettings, recordOf } from './host-settings.ts'

/** A machine whose settings can be looked at; it notes the order of what is done to it. */
function machine(values: Record<string, string>) {
  const settings = new Map(Object.entries(values))
  const done: string[] = []
  let record = ''
  const files: HostFiles = {
    read: async (path) => settings.get(path),
    async write(path, value) {
      done.push(`write ${path}`)
      settings.set(path, value)
    },
    readRecord: async () => record,
    async writeRecord(text) {
      done.push('record')
      record = text
    },
  }
  return { files, settings, done, record: () => record }
}

const FACTS = { hasIpv6: false, podDevices: ['kedge0', 'eth0.7'] }
const FRESH = {
  'net/ipv4/conf/all/rp_filter': '1',
  'net/ipv4/ip_forward': '0',
  'net/ipv4/conf/kedge0/route_localnet': '0',
  'net/ipv4/conf/eth0.7/route_localnet': '0',
}

describe('applyHostSettings', () => {
  test('writes down what was there before it changes it', async () => {
    const box = machine(FRESH)
    const missing = await applyHostSettings(hostSettings(FACTS), box.files)
    expect(missing.map(({ path }) => path)).toEqual(['net/bridge/bridge-nf-call-iptables'])
    expect(box.done.filter((_, i) => i % 2 === 0)).toEqual(Array(4).fill('record'))
    expect(box.record()).toBe(
      'net/ipv4/conf/all/rp_filter 1 2\n' +
        'net/ipv4/ip_forward 0 1\n' +
        'net/ipv4/conf/kedge0/route_localnet 0 1\n' +
        'net/ipv4/conf/eth0.7/route_localnet 0 1\n',
    )
  })

  test('does nothing twice, and never makes the check of sources looser than it was', async () => {
    const box = machine({ ...FRESH, 'net/ipv4/conf/all/rp_filter': '0' })
    await applyHostSettings(hostSettings(FACTS), box.files)
    const count = box.done.length
    await applyHostSettings(hostSettings(FACTS), box.files)
    expect(box.done).toHaveLength(count)
    expect(box.settings.get('net/ipv4/conf/all/rp_filter')).toBe('0')
    expect(box.record()).not.toContain('rp_filter')
  })

  test('what was before the first change is what counts', () => {
    const path = 'net/ipv4/ip_forward'
    const first = recordOf('', { path, before: '0', value: '1' })
    expect(recordOf(first, { path, before: '2', value: '1' })).toBe(first)
  })
})

test('no setting but of the list is written anywhere in the sources', async () => {
  const writers: string[] = []
  for await (const path of new Bun.Glob('**/*.ts').scan('src')) {
    if (path.endsWith('.test.ts')) continue
    const text = await Bun.file(`src/${path}`).text()
    const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
    if (/proc\/sys(?!rq)/.test(code)) writers.push(path)
  }
  // A pod's own, in its namespaces; what containers must not see; and reading who started last.
  expect(writers.toSorted()).toEqual([
    'agent/node/machine.ts',
    'api/pod/sysctls.ts',
    'network/host-settings.ts',
    'runtime/spec/container-spec.ts',
  ])
})
