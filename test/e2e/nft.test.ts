// The rules of Services, loaded by the real nft and asked by real packets: a router between a client
// and two pods, each a network namespace.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { EndpointSlice, Service } from '../../src/api/schema/generated/types.ts'
import { planForgottenClients, planLostEndpoints } from '../../src/network/services/affinity.ts'
import { type TableContent, tableContent } from '../../src/network/services/elements.ts'
import { planRules, type ServiceRules } from '../../src/network/services/rules.ts'
import { planScript, planTable } from '../../src/network/services/script.ts'
import { ok, run, until } from '../support/machines.ts'

const isRoot = process.getuid?.() === 0
const canRun = isRoot && Bun.which('nft') !== null && Bun.which('ip') !== null
if (!canRun) console.log('skipped: rules in the kernel (root, nft and ip are needed)')
const ranges = { pods: '10.42.0.0/16', services: '10.43.0.0/16' }
const NAMES = ['router', 'client', 'one', 'two'] as const
/** Of this run alone. */
const ns = (name: string) => `kn-${process.pid}-${name}`
const on = (name: string, ...argv: string[]) => ['ip', 'netns', 'exec', ns(name), ...argv]
const servers: Bun.Subprocess[] = []

/** Where a load balancer sends its packets on to the node as they are. */
const BALANCED = '203.0.113.9'

type ServiceSpec = NonNullable<Service['spec']>

/** A plan, and how it stands in the kernel. */
type Ruleset = { rules: ServiceRules; content: TableContent }

function plan(spec: ServiceSpec, ips: string[], previous?: Ruleset): Ruleset {
  const service: Service = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: '10.43.0.5', ...spec },
    status: { loadBalancer: { ingress: [{ ip: BALANCED }] } },
  }
  const slice: EndpointSlice = {
    metadata: {
      name: 'web-1',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    addressType: 'IPv4',
    ports: (spec.ports ?? []).map(({ name, protocol }) => ({
      port: 8080,
      ...(protocol && { protocol }),
      ...(name && { name }),
    })),
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'n', conditions: { ready: true } })),
  }
  const snapshot = { services: [service], slices: [slice], nodeName: 'n' }
  const rules = planRules(snapshot, previous?.rules)
  return { rules, content: tableContent(rules, previous?.content) }
}

const planTableOf = ({ content }: Ruleset) => planTable(content, ranges)

const load = (script: string) => ok(on('router', 'nft', '-f', '-'), { stdin: script })

async function ask(from: string, url: string): Promise<string> {
  const { code, stdout } = await run(on(from, 'curl', '-sS', '--max-time', '2', url))
  return code === 0 ? stdout : `exit ${code}`
}

/** One datagram and what comes back; empty when nothing does. */
async function askByDatagram(from: string, address: string, port: number): Promise<string> {
  const code = `
    const end = (text) => { console.log(text); process.exit() }
    const data = (_socket, bytes) => end(bytes.toString())
    const socket = await Bun.udpSocket({ socket: { data } })
    socket.send('who', ${port}, '${address}')
    setTimeout(() => end(''), 2000)`
  return (await ok(on(from, process.execPath, '-e', code))).trim()
}

const HTTP = 80
const spec: ServiceSpec = { ports: [{ port: HTTP, protocol: 'TCP', nodePort: 30080 }] }
const both = ['10.42.2.2', '10.42.3.2']

describe.skipIf(!canRun)('rules in the kernel', () => {
  beforeAll(async () => {
    for (const name of NAMES) {
      await ok(['ip', 'netns', 'add', ns(name)])
      await ok(['ip', '-n', ns(name), 'link', 'set', 'lo', 'up'])
    }
    await ok(on('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1'))
    const links = { client: '192.168.9', one: '10.42.2', two: '10.42.3' }
    for (const [name, net] of Object.entries(links)) {
      const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', ns(name)]
      await ok(['ip', '-n', ns('router'), 'link', 'add', name, ...peer])
      await ok(['ip', '-n', ns('router'), 'addr', 'add', `${net}.1/24`, 'dev', name])
      await ok(['ip', '-n', ns('router'), 'link', 'set', name, 'up'])
      await ok(['ip', '-n', ns(name), 'addr', 'add', `${net}.2/24`, 'dev', 'eth0'])
      await ok(['ip', '-n', ns(name), 'link', 'set', 'eth0', 'up'])
      await ok(['ip', '-n', ns(name), 'route', 'add', 'default', 'via', `${net}.1`])
    }
    for (const name of ['one', 'two']) {
      const code = `
        Bun.serve({port:8080,fetch:(r,s)=>new Response('${name} '+s.requestIP(r).address)})
        const data = (socket, _bytes, port, address) => socket.send('${name}', port, address)
        await Bun.udpSocket({ hostname: '0.0.0.0', port: 8080, socket: { data } })`
      servers.push(Bun.spawn(on(name, process.execPath, '-e', code), { stdout: 'ignore' }))
    }
    for (const ip of both) {
      await until('a server', async () => (await ask('client', `http://${ip}:8080`)) !== 'exit 7')
    }
  }, 20_000)

  afterAll(async () => {
    for (const server of servers) server.kill(9)
    for (const name of NAMES) await run(['ip', 'netns', 'del', ns(name)])
  })

  test('a cluster address reaches every endpoint, and a node port too', async () => {
    await load(planTableOf(plan(spec, both)))
    const seen = new Set<string>()
    for (let i = 0; i < 30; i++) seen.add((await ask('client', 'http://10.43.0.5')).split(' ')[0]!)
    expect(seen).toEqual(new Set(['one', 'two']))
    const atNode = await ask('client', 'http://192.168.9.1:30080')
    // Masqueraded, so that the answer comes back the same way: the pod sees its router.
    expect(atNode).toMatch(
      /^(one ::ffff:10\.42\.2\.1|two ::ffff:10\.42\.3\.1|one 10\.42\.2\.1|two 10\.42\.3\.1)$/,
    )
  })

  test('a Service of both protocols serves both at one port, with and without affinity', async () => {
    for (const sessionAffinity of ['None', 'ClientIP']) {
      const ports = ['TCP', 'UDP'].map((protocol) => ({
        name: protocol.toLowerCase(),
        protocol,
        port: 80,
        nodePort: 30080,
      }))
      await load(planTableOf(plan({ ports, sessionAffinity }, both)))
      expect(await ask('client', 'http://10.43.0.5')).toMatch(/^(one|two) /)
      expect(await askByDatagram('client', '10.43.0.5', 80)).toMatch(/^(one|two)$/)
      expect(await askByDatagram('client', '192.168.9.1', 30080)).toMatch(/^(one|two)$/)
    }
  })

  test('a pod reaches itself through its Service', async () => {
    await load(planTableOf(plan(spec, ['10.42.2.2'])))
    expect(await ask('one', 'http://10.43.0.5')).toMatch(/^one /)
  })

  test('a change writes only what changed, and takes effect', async () => {
    const before = plan(spec, ['10.42.2.2'])
    await load(planTableOf(before))
    const after = plan(spec, ['10.42.3.2'], before)
    await load(planScript(before.content, after.content))
    for (let i = 0; i < 5; i++) expect(await ask('client', 'http://10.43.0.5')).toMatch(/^two /)
    await load(planScript(after.content, before.content))
    expect(await ask('client', 'http://10.43.0.5')).toMatch(/^one /)
  })

  test('a Service without endpoints refuses at once', async () => {
    await load(planTableOf(plan(spec, [])))
    expect(await ask('client', 'http://10.43.0.5')).toBe('exit 7')
    expect(await ask('client', 'http://192.168.9.1:30080')).toBe('exit 7')
  })

  test('a client sticks to its endpoint when the Service asks for it', async () => {
    const sticky = { ...spec, sessionAffinity: 'ClientIP' }
    const before = plan(sticky, both)
    await load(planTableOf(before))
    for (const url of ['http://10.43.0.5', 'http://192.168.9.1:30080']) {
      const seen = new Set<string>()
      for (let i = 0; i < 12; i++) seen.add((await ask('client', url)).split(' ')[0]!)
      expect(seen.size).toBe(1)
    }
  })

  test('a client whose endpoint is gone gets another', async () => {
    const sticky = { ...spec, sessionAffinity: 'ClientIP' }
    const before = plan(sticky, both)
    await load(planTableOf(before))
    const [first] = (await ask('client', 'http://10.43.0.5')).split(' ')
    const after = plan(sticky, [first === 'one' ? both[1]! : both[0]!], before)
    await load(planScript(before.content, after.content))
    const listing = JSON.parse(
      await ok(on('router', 'nft', '-j', 'list', 'map', 'inet', 'kedge', 'affinity')),
    )
    const keys = planForgottenClients(listing, planLostEndpoints(before.rules, after.rules))
    expect(keys).toHaveLength(1)
    await load(`delete element inet kedge affinity { ${keys.join(', ')} }\n`)
    expect(await ask('client', 'http://10.43.0.5')).not.toStartWith(`${first} `)
  })

  test('an outsider keeps its address under externalTrafficPolicy Local', async () => {
    await load(planTableOf(plan({ ...spec, externalTrafficPolicy: 'Local' }, ['10.42.2.2'])))
    expect(await ask('client', 'http://192.168.9.1:30080')).toMatch(
      /^one (::ffff:)?192\.168\.9\.2$/,
    )
  })

  test('a load balancer answers at its address, to its sources alone', async () => {
    const balanced = { ...spec, type: 'LoadBalancer' }
    await load(planTableOf(plan(balanced, both)))
    expect(await ask('client', `http://${BALANCED}`)).toMatch(/^(one|two) /)
    for (const [range, reaches] of [
      ['192.168.9.0/24', true],
      ['192.168.8.0/24', false],
    ] as const) {
      const limited = {
        ...balanced,
        loadBalancerSourceRanges: [range, '10.0.0.0/8', '10.1.0.0/16'],
      }
      await load(planTableOf(plan(limited, both)))
      const answer = await ask('client', `http://${BALANCED}`)
      expect(answer).toMatch(reaches ? /^(one|two) / : /^exit 28$/)
      expect(await ask('client', 'http://10.43.0.5')).toMatch(/^(one|two) /)
    }
  })

  test('an outsider keeps its address at a load balancer with local endpoints alone', async () => {
    const local = { ...spec, type: 'LoadBalancer', externalTrafficPolicy: 'Local' }
    await load(planTableOf(plan(local, ['10.42.2.2'])))
    expect(await ask('client', `http://${BALANCED}`)).toMatch(/^one (::ffff:)?192\.168\.9\.2$/)
  })
})
