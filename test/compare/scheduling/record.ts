// Asks a real scheduler: bun test/compare/scheduling/record.ts URL TOKEN [FROM TO]
//
// It wants a kube-apiserver and a kube-scheduler and nothing else: no controllers, no nodes, and
// admission without ServiceAccount and TaintNodesByCondition.

import { readFileSync, writeFileSync } from 'node:fs'
import type { Node, Pod, PodDisruptionBudget } from '../../../src/api/schema/generated/types.ts'
import { OUTCOMES, type Outcome } from './outcomes.ts'
import { NAMESPACE, PRIORITIES, scenarioOf } from './scenarios.ts'

const [url, token, from = '1', to = '600'] = process.argv.slice(2)
if (url === undefined || token === undefined) throw new Error('say where, and with which token')

async function call(method: string, path: string, body?: unknown, type = 'application/json') {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': type },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    tls: { rejectUnauthorized: false },
  } as RequestInit)
  // biome-ignore lint/suspicious/noExplicitAny: whatever was asked for.
  const result = (await answer.json()) as any
  if (!answer.ok && answer.status !== 409 && answer.status !== 404) {
    throw new Error(`${method} ${path}: ${JSON.stringify(result)}`)
  }
  return result
}

const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`

const SERVICES = `/api/v1/namespaces/${NAMESPACE}/services`
const BUDGETS = `/apis/policy/v1/namespaces/${NAMESPACE}/poddisruptionbudgets`

async function clear() {
  for (const path of [SERVICES, BUDGETS]) await call('DELETE', path)
  await call('DELETE', PODS, { gracePeriodSeconds: 0 })
  await call('DELETE', '/api/v1/nodes')
}

async function addNode({ metadata, spec, status }: Node) {
  await call('POST', '/api/v1/nodes', { metadata, spec })
  const path = `/api/v1/nodes/${metadata.name}/status`
  await call('PATCH', path, { status }, 'application/merge-patch+json')
}

async function addPod({ metadata: { uid: _, ...metadata }, spec, status }: Pod) {
  await call('POST', PODS, { metadata, spec })
  if (status === undefined) return
  const path = `${PODS}/${metadata.name}/status`
  await call('PATCH', path, { status }, 'application/merge-patch+json')
}

async function addBudget({ metadata, spec, status }: PodDisruptionBudget) {
  await call('POST', BUDGETS, { metadata, spec })
  const path = `${BUDGETS}/${metadata.name}/status`
  await call('PATCH', path, { status }, 'application/merge-patch+json')
}

/** The real scheduler counts the nodes that have an image when it hears of the node. */
function touchNode({ metadata: { name } }: Node) {
  const body = { metadata: { labels: { touched: 'yes' } } }
  return call('PATCH', `/api/v1/nodes/${name}`, body, 'application/merge-patch+json')
}

async function outcomeOf(name: string): Promise<Outcome> {
  for (let i = 0; i < 100; i++) {
    await Bun.sleep(20)
    const pod: Pod = await call('GET', `${PODS}/${name}`)
    if (pod.spec.nodeName) return { nodeName: pod.spec.nodeName }
    const condition = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
    if (condition?.status !== 'False') continue
    const message = condition.message ?? ''
    const nominated = pod.status?.nominatedNodeName
    if (nominated === undefined) return { message }
    await Bun.sleep(300)
    const { items } = (await call('GET', PODS)) as { items: Pod[] }
    const victims = items.filter(({ metadata }) => metadata.deletionTimestamp)
    return { message, nominated, victims: victims.map(({ metadata }) => metadata.name!).sort() }
  }
  throw new Error(`${name}: the scheduler says nothing`)
}

await call('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } })
for (const [name, value] of Object.entries(PRIORITIES)) {
  await call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name }, value })
}
const outcomes: Record<string, Outcome> = JSON.parse(
  await Bun.file(OUTCOMES).exists() ? readFileSync(OUTCOMES, 'utf8') : '{}',
)
for (let seed = Number(from); seed <= Number(to); seed++) {
  const { nodes, placed, pod, services, budgets } = scenarioOf(seed)
  await clear()
  await Bun.sleep(150)
  await Promise.all(nodes.map(addNode))
  await Promise.all(placed.map(addPod))
  await Promise.all(nodes.map(touchNode))
  for (const service of services) await call('POST', SERVICES, service)
  for (const budget of budgets) await addBudget(budget)
  await Bun.sleep(250)
  await addPod(pod)
  outcomes[seed] = await outcomeOf(pod.metadata.name!)
}
await clear()
const lines = Object.entries(outcomes).map(([seed, one]) => `"${seed}": ${JSON.stringify(one)}`)
writeFileSync(OUTCOMES, `{\n${lines.join(',\n')}\n}\n`)
