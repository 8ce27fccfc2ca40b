// Asks real controllers: bun test/compare/controllers/record.ts KUBECONFIG [SCENARIO …]
// They must be at work behind that API server, and no kubelet.

import { readFileSync, writeFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { type Json, play, type World } from './play.ts'
import { SCENARIOS } from './scenarios.ts'

type Kubeconfig = {
  clusters: { cluster: { server: string } }[]
  users: { user: Record<string, string | undefined> }[]
}

const QUIET_MS = 2000
const [path, ...chosen] = process.argv.slice(2)
if (path === undefined) throw new Error('say which kubeconfig to use')
const config = load(readFileSync(path, 'utf8')) as Kubeconfig
const origin = config.clusters[0]!.cluster.server
const pem = (key: string) => {
  return Buffer.from(config.users[0]!.user[`${key}-data`] ?? '', 'base64').toString()
}
const tls = {
  rejectUnauthorized: false,
  cert: pem('client-certificate'),
  key: pem('client-key'),
}
const { gitVersion } = await send('GET', '/version')

for (const [name, { nodes, steps }] of SCENARIOS) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  const namespace = `cmp-${crypto.randomUUID().slice(0, 8)}`
  await send('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  for (const node of nodes) await join(node)
  const world: World = { namespace, send, settle: () => Bun.sleep(QUIET_MS) }
  await world.settle()
  const shots = await play(steps, world)
  const file = new URL(`${name}.${gitVersion}.json`, import.meta.url)
  writeFileSync(file, `${JSON.stringify(shots, null, 1)}\n`)
  process.stdout.write(`${name}: ${shots.length} steps of ${gitVersion}\n`)
  for (const node of nodes) await send('DELETE', `/api/v1/nodes/${node}`)
  await send('DELETE', `/api/v1/namespaces/${namespace}`)
}

/** A node that is ready, until its next heartbeat is missed. */
async function join(name: string): Promise<void> {
  await send('POST', '/api/v1/nodes', { metadata: { name } })
  const lastHeartbeatTime = new Date().toISOString().replace(/\.\d+/, '')
  const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime }
  const conditions = [{ ...ready, lastTransitionTime: lastHeartbeatTime }]
  await send('PATCH', `/api/v1/nodes/${name}/status`, { status: { conditions } })
  await send('PATCH', `/api/v1/nodes/${name}`, { spec: { taints: null } })
}

async function send(method: string, target: string, body?: object): Promise<Json> {
  const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json'
  const headers = { 'content-type': type, 'user-agent': 'compare' }
  const init = { method, headers, tls, ...(body ? { body: JSON.stringify(body) } : {}) }
  const response = await fetch(origin + target, init as RequestInit)
  const answer = await response.json()
  if (!response.ok) throw new Error(`${method} ${target}: ${JSON.stringify(answer)}`)
  return answer
}
