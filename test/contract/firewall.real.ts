// What a node's rules promise when others have their hands in the same kernel: whoever flushes them,
// whoever sends frames to localhost, and flows that began under other rules. One node with pods on
// a network with a neighbour; run by network.test.ts in namespaces of its own.
//
//   pods ─ kedge0 ─ node 10.9.0.1 ─┬─ far  10.9.0.2, with a pod 10.42.1.2
//                                  └─ evil 10.9.0.3

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HostPort } from '../../src/api/pod/host-ports.ts'
import { createClient } from '../../src/kit/client-impl.ts'
import { InformerSet } from '../../src/kit/informer-set.ts'
import { localTransport } from '../../src/kit/transport-local.ts'
import { SystemClock } from '../../src/lib/clock.ts'
import type { Component } from '../../src/lib/component.ts'
import { LinuxSyscalls } from '../../src/lib/linux/syscalls.ts'
import { silentLog } from '../../src/lib/log.ts'
import { SystemProcesses } from '../../src/lib/process.ts'
import { SystemRandom } from '../../src/lib/random.ts'
import { FlowKeeper } from '../../src/network/flow-keeper.ts'
import { systemHostFiles } from '../../src/network/host-settings.ts'
import { createNft } from '../../src/network/nft.ts'
import { FollowNodes } from '../../src/network/pods/follow-nodes.ts'
import { NodeNetwork } from '../../src/network/pods/node-network.ts'
import { RulesGuard } from '../../src/network/rules-guard.ts'
import { createProxy } from '../../src/network/services/loop.ts'
import { ADMIN, testServer } from '../support/server.ts'

const folder = mkdtempSync(join(tmpdir(), 'kedge-firewall-'))
const CLUSTER = '10.42.0.0/16'
const SERVICES = '10.43.0.0/16'
const NODE = '10.9.0.1'
const FAR_POD = '10.42.1.2'
const BALANCED = '203.0.113.9'
const CLUSTER_IP = '10.43.0.5'
const REPAIRED_MS_MAX = 2000
const children: Bun.Subprocess[] = []
const server = await testServer()
const processes = new SystemProcesses()

function ok(argv: string[], stdin = ''): string {
  const done = Bun.spawnSync(argv, { stdin: Buffer.from(stdin), stderr: 'pipe' })
  if (done.exitCode === 0) return done.stdout.toString()
  throw new Error(`${argv.join(' ')}: ${done.stderr}${done.stdout}`)
}

const nft = (script: string) => ok(['nft', '-f', '-'], script)
const inside = (netns: string, ...argv: string[]) => ['nsenter', `--net=${netns}`, ...argv]
const host = (name: string) => `/run/netns/${name}`

async function until(what: string, check: () => Promise<boolean> | boolean, limitMs = 5000) {
  const end = performance.now() + limitMs
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms until ${what}`)
    await Bun.sleep(50)
  }
}

async function call(method: string, path: string, body?: unknown): Promise<void> {
  const answer = await server.call(method, path, { body })
  if (answer.code >= 300) throw new Error(`${method} ${path}: ${answer.text}`)
}

// ── The node ──

type Node = { network: NodeNetwork; stop(): Promise<void> }

async function startNode(): Promise<Node> {
  const [clock, random, log] = [new SystemClock(), new SystemRandom(), silentLog]
  const client = createClient(
    localTransport((request, env) => server.app.fetch(request, env), ADMIN, 'test'),
  )
  const informers = new InformerSet({ client, clock, random, log })
  const runner = createNft({ processes, random })
  const guard = new RulesGuard({ nft: runner, clock, log })
  const ranges = { pods: CLUSTER, services: SERVICES }
  const ownAddresses = () =>
    new Set(Object.values(networkInterfaces()).flatMap((all) => all!.map((one) => one.address)))
  const flows = new FlowKeeper({ processes, clock, log, ownAddresses, ranges })
  const network = new NodeNetwork({
    processes,
    nft: runner,
    flows,
    log,
    serviceCidr: SERVICES,
    userConfigDir: undefined,
    hostFiles: systemHostFiles(join(folder, 'run/host-settings')),
    runDir: join(folder, 'run'),
  })
  const peers = {
    all: [
      { name: 'n', internalIps: [NODE], podCidrs: ['10.42.0.0/24'] },
      { name: 'far', internalIps: ['10.9.0.2'], podCidrs: ['10.42.1.0/24'] },
    ],
    run: async (onChange: () => void) => onChange(),
  }
  const follow = new FollowNodes({
    peers,
    network,
    guard,
    clock,
    log,
    nodeName: 'n',
    clusterCidrs: [CLUSTER],
    wasConfigured: false,
    onChange: () => {},
  })
  const proxy = createProxy({
    informers,
    nft: runner,
    guard,
    flows,
    clock,
    log,
    nodeName: 'n',
    ranges,
  })
  const stop = new AbortController()
  const running: Promise<void>[] = []
  const components: Component[] = [informers, guard, flows, follow, proxy]
  for (const one of components) running.push((await one.start(stop.signal)).done)
  await until('the node is configured', () => follow.problem === undefined)
  return {
    network,
    async stop() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

let node: Node

/** A pod that answers at three ports with its name and the port; returns its address. */
async function startPod(name: string, ports: HostPort[] = []): Promise<string> {
  const netnsPath = join(folder, name)
  writeFileSync(netnsPath, '')
  new LinuxSyscalls().makeNamespaces({ net: netnsPath }, '', () => {})
  const attachment = { id: name, podName: name, podNamespace: 'default', netnsPath, ports }
  const [ip] = await node.network.attach(attachment, new AbortController().signal)
  serve(netnsPath, name)
  return ip!
}

function serve(netns: string, name: string): void {
  const code = `
    for (const port of [5353, 5354]) {
      const data = (socket, _bytes, to, address) => socket.send('${name}:' + port, to, address)
      await Bun.udpSocket({ hostname: '0.0.0.0', port, socket: { data, error() {} } })
    }
    Bun.serve({ port: 8080, fetch: () => new Response('${name}') })`
  children.push(Bun.spawn(inside(netns, process.execPath, '-e', code)))
}

async function stopPod(name: string): Promise<void> {
  const netnsPath = join(folder, name)
  const attachment = { id: name, podName: name, podNamespace: 'default', netnsPath, ports: [] }
  await node.network.detach(attachment, new AbortController().signal)
}

function endpoints(slice: string, ip: string | undefined, port: number, protocol = 'UDP') {
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  const labels = { 'kubernetes.io/service-name': slice }
  const list = ip === undefined ? [] : [{ addresses: [ip], nodeName: 'n' }]
  return server.call('DELETE', `${path}/${slice}`).then(() =>
    call('POST', path, {
      metadata: { name: slice, labels },
      addressType: 'IPv4',
      ports: [{ port, protocol }],
      endpoints: list,
    }),
  )
}

/** A client that asks from one port for ever: its flows never change. */
function startClient(netns: string) {
  const code = `
    let answer = '-'
    const data = (_socket, bytes) => { answer = bytes.toString() }
    const handlers = { data, error: () => {} }
    const socket = await Bun.udpSocket({ hostname: '0.0.0.0', port: 40000, socket: handlers })
    for await (const line of console) {
      const [address, port] = line.split(' ')
      answer = '-'
      socket.send('who', Number(port), address)
      for (let i = 0; i < 20 && answer === '-'; i++) await Bun.sleep(10)
      console.log(answer)
    }`
  const child = Bun.spawn(inside(netns, process.execPath, '-e', code), {
    stdin: 'pipe',
    stdout: 'pipe',
  })
  children.push(child)
  const reader = child.stdout.getReader()
  return async (address: string, port: number): Promise<string> => {
    child.stdin.write(`${address} ${port}\n`)
    child.stdin.flush()
    const { value } = await reader.read()
    return new TextDecoder().decode(value).trim()
  }
}

let ask: ReturnType<typeof startClient>

function plug(name: string, cidr: string): void {
  ok(['ip', 'netns', 'add', name])
  ok(['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'eth0', 'netns', name])
  ok(['ip', 'link', 'set', name, 'master', 'lan0', 'up'])
  ok(inside(host(name), 'ip', 'addr', 'add', cidr, 'dev', 'eth0'))
  ok(inside(host(name), 'ip', 'link', 'set', 'eth0', 'up'))
  ok(inside(host(name), 'ip', 'route', 'add', 'default', 'via', NODE))
}

beforeAll(async () => {
  // A mount namespace of our own has this folder to itself.
  mkdirSync('/run/netns', { recursive: true })
  ok(['mount', '-t', 'tmpfs', 'tmpfs', '/run/netns'])
  ok(['ip', 'link', 'set', 'lo', 'up'])
  ok(['ip', 'link', 'add', 'lan0', 'type', 'bridge'])
  ok(['ip', 'addr', 'add', `${NODE}/24`, 'dev', 'lan0'])
  ok(['ip', 'link', 'set', 'lan0', 'up'])
  plug('far', '10.9.0.2/24')
  plug('evil', '10.9.0.3/24')
  ok(inside(host('far'), 'ip', 'link', 'set', 'lo', 'up'))
  ok(inside(host('far'), 'ip', 'addr', 'add', `${FAR_POD}/32`, 'dev', 'lo'))
  serve(host('far'), 'far')
  ask = startClient(host('far'))
})

afterAll(async () => {
  await node?.stop()
  for (const child of children) child.kill(9)
  await server.close()
  for (const name of new Bun.Glob('*').scanSync({ cwd: folder, onlyFiles: true })) {
    Bun.spawnSync(['umount', join(folder, name)])
  }
  rmSync(folder, { recursive: true, force: true })
})

describe('localhost', () => {
  const PORT = 5555
  let heard: string[] = []
  let victim: { close(): void }

  const attack = async (word: string) => {
    heard = []
    const code = `echo ${word} >/dev/udp/127.0.0.1/${PORT}; echo ${word} >/dev/udp/127.0.0.9/${PORT}`
    for (let i = 0; i < 3; i++) {
      ok(inside(host('evil'), 'bash', '-c', code))
      await Bun.sleep(100)
    }
    return heard.length > 0
  }

  beforeAll(async () => {
    victim = await Bun.udpSocket({
      hostname: '0.0.0.0',
      port: PORT,
      socket: { data: (_socket, bytes) => void heard.push(bytes.toString().trim()) },
    })
    // A neighbour whose own localhost leads to us.
    const evil = (...argv: string[]) => ok(inside(host('evil'), ...argv))
    evil('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet')
    evil('ip', 'route', 'add', '127.0.0.0/8', 'via', NODE)
  })

  afterAll(() => victim.close())

  test('is open to neighbours when the kernel is only told to route it', async () => {
    ok(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/lan0/route_localnet'])
    expect(await attack('open')).toBe(true)
    ok(['sh', '-c', 'echo 0 >/proc/sys/net/ipv4/conf/lan0/route_localnet'])
  })

  test('is closed to them on a node, though the node routes its own packets from there', async () => {
    node = await startNode()
    const setting = () => ok(['cat', '/proc/sys/net/ipv4/conf/lan0/route_localnet']).trim()
    await until('the way to the other node is open', () => setting() === '1')
    expect(await attack('closed')).toBe(false)
    expect(ok(['cat', '/proc/sys/net/ipv4/conf/default/route_localnet']).trim()).toBe('0')
    const record = ok(['cat', join(folder, 'run/host-settings')])
    expect(record).toContain('net/ipv4/conf/lan0/route_localnet 0 1\n')
  })

  test('answers at node ports and host ports, of pods here and elsewhere', async () => {
    const hostPort = { hostPort: 8081, containerPort: 8080, protocol: 'TCP', hostIP: '' }
    const ip = await startPod('web', [hostPort])
    const ports = [{ port: 80, protocol: 'TCP', nodePort: 30080 }]
    const spec = { type: 'NodePort', ports }
    const path = '/api/v1/namespaces/default/services'
    await call('POST', path, { metadata: { name: 'web' }, spec })
    const get = async (port: number) => {
      const done = await processes.run(
        ['curl', '-sS', '-m', '1', `http://127.0.0.1:${port}`],
        new AbortController().signal,
      )
      return done.stdout || done.stderr
    }
    await until('the host port answers', async () => (await get(8081)) === 'web')
    for (const [address, name] of [
      [ip, 'web'],
      [FAR_POD, 'far'],
    ] as const) {
      await endpoints('web', address, 8080, 'TCP')
      await until(`${name} answers`, async () => (await get(30080)) === name)
    }
    await endpoints('web', undefined, 8080, 'TCP')
    await until('it is refused', async () => (await get(30080)).includes('onnect'))
    await endpoints('web', ip, 8080, 'TCP')
    expect(await attack('still closed')).toBe(false)
  })
})

describe('UDP flows', () => {
  const KINDS = { 'cluster address': CLUSTER_IP, 'load balancer': BALANCED, 'node port': NODE }
  const portOf = (to: string) => (to === NODE ? 30053 : 53)
  const allSay = (what: string) =>
    until(`all say ${what}`, async () => {
      const said: string[] = []
      for (const to of Object.values(KINDS)) said.push(await ask(to, portOf(to)))
      return said.every((one) => one === what)
    })
  const hostPort = { hostPort: 5053, containerPort: 5353, protocol: 'UDP', hostIP: '' }
  const hostPortSays = (what: string) =>
    until(`the host port says ${what}`, async () => (await ask(NODE, 5053)) === what)
  const ips: Record<string, string> = {}

  test('that began before there was a Service find its endpoint', async () => {
    for (const to of Object.values(KINDS)) expect(await ask(to, portOf(to))).toBe('-')
    for (const name of ['one', 'two']) ips[name] = await startPod(name)
    await endpoints('dns', ips.one, 5353)
    const ports = [{ port: 53, protocol: 'UDP', nodePort: 30053 }]
    const spec = { type: 'LoadBalancer', clusterIP: CLUSTER_IP, ports }
    const path = '/api/v1/namespaces/default/services'
    await call('POST', path, { metadata: { name: 'dns' }, spec })
    const answer = await server.call('GET', `${path}/dns`)
    const status = { loadBalancer: { ingress: [{ ip: BALANCED }] } }
    await call('PUT', `${path}/dns/status`, { ...answer.json, status })
    await allSay('one:5353')
  })

  test('follow a replaced endpoint, a changed port, and one that comes back', async () => {
    await endpoints('dns', ips.two, 5353)
    await allSay('two:5353')
    await endpoints('dns', ips.two, 5354)
    await allSay('two:5354')
    await endpoints('dns', undefined, 5354)
    await allSay('-')
    await endpoints('dns', ips.one, 5353)
    await allSay('one:5353')
  })

  test('follow what was replaced while the node was down', async () => {
    await node.stop()
    await endpoints('dns', ips.two, 5353)
    node = await startNode()
    await allSay('two:5353')
  })

  test('find the pod of a host port, and the one that takes its place', async () => {
    expect(await ask(NODE, 5053)).toBe('-')
    await startPod('first', [hostPort])
    await hostPortSays('first:5353')
    // Addresses of Services are no addresses of the node, wherever they are.
    ok(['ip', 'addr', 'add', '10.43.0.10/32', 'dev', 'lan0'])
    expect(await ask('10.43.0.10', 5053)).toBe('-')
    await stopPod('first')
    await hostPortSays('-')
    await startPod('second', [hostPort])
    await hostPortSays('second:5353')
  })
})

describe('a firewall that is reloaded', () => {
  const TABLES = ['inet kedge', 'inet kedge-node', 'ip filter']
  /** Handles and clients learned are no part of the rules. */
  const state = () =>
    TABLES.map((table) => {
      const listing = Bun.spawnSync(['nft', '-s', 'list', 'table', ...table.split(' ')])
      return listing.stdout.toString()
    })
      .join('\n')
      // Elements of maps are listed in the order of their hashes.
      .replace(/elements = \{([^}]*)\}/g, (_whole, list: string) =>
        list
          .split(',')
          .map((one) => one.trim())
          .toSorted()
          .join(', '),
      )

  /** What there is of ours to flush, each as a statement. */
  function flushes(): string[] {
    const listing: { nftables: Record<string, { family: string; table: string; name: string }>[] } =
      JSON.parse(ok(['nft', '-j', 'list', 'ruleset']))
    return listing.nftables.flatMap((item) =>
      (['chain', 'map', 'set'] as const).flatMap((what) => {
        const found = item[what]
        if (found === undefined) return []
        const { family, table, name } = found
        if (!TABLES.includes(`${family} ${table}`)) return []
        return [`flush ${what} ${family} ${table} ${name}`]
      }),
    )
  }

  test('does no harm for longer than 2 s, whatever of ours it took', async () => {
    const docker =
      'add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n'
    nft(docker)
    await until(
      'pods are let through',
      () => state().includes(`saddr ${CLUSTER} accept`),
      REPAIRED_MS_MAX,
    )
    // Written anew, without chains for numbers of endpoints that there are no more.
    nft('delete table inet kedge\n')
    await until('the table stands', () => state().includes('chain nat_postrouting'))
    const whole = state()
    const tables = TABLES.slice(0, 2)
    const damage = [
      ...flushes(),
      ...tables.map((table) => `flush table ${table}`),
      ...tables.map((table) => `delete table ${table}`),
      ...tables.map((table) => `add chain ${table} x { type filter hook input priority 0; }`),
      'insert rule inet kedge services accept',
      'insert rule inet kedge-node localhost_in accept',
      'delete element inet kedge nodeport { udp . 30053 }',
      `flush ruleset\n${docker}`,
    ]
    expect(damage.length).toBeGreaterThan(40)
    let doneCount = 0
    for (const one of damage) {
      nft(`${one}\n`)
      // What is empty cannot be flushed, and shows nothing.
      if (state() === whole && one.startsWith('flush ')) continue
      await until(`repaired: ${one}`, () => state() === whole, REPAIRED_MS_MAX)
      doneCount++
    }
    expect(doneCount).toBeGreaterThan(30)
  }, 120_000)
})
