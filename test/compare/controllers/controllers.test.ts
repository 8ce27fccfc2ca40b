// Compares what kedge's controllers make with what those of Kubernetes made, step by step.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { daemonSetController } from '../../../src/controllers/workloads/daemonset/daemonset.ts'
import { statefulSetController } from '../../../src/controllers/workloads/statefulset/statefulset.ts'
import { TestCluster } from '../../support/cluster.ts'
import { type Json, play, type Shot } from './play.ts'
import { SCENARIOS } from './scenarios.ts'

const VERSION = 'v1.36.3'

async function playHere(name: string): Promise<Shot[]> {
  const { nodes, steps } = SCENARIOS.get(name)!
  const controllers = [statefulSetController(), daemonSetController()]
  await using cluster = await TestCluster.start({ controllers })
  const send = (method: string, path: string, body?: object) => request(cluster, method, path, body)
  for (const node of nodes) {
    await send('POST', '/api/v1/nodes', { metadata: { name: node } })
    await send('PATCH', `/api/v1/nodes/${node}`, { spec: { taints: null } })
  }
  const namespace = 'cmp-0a1b2c3d'
  await send('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
  await send('POST', accounts, { metadata: { name: 'default' } })
  const settle = () => cluster.settle()
  await settle()
  const shots = await play(steps, { namespace, send, settle })
  expect(await cluster.writesOfOneMorePass()).toEqual([])
  return shots
}

async function request(
  cluster: TestCluster,
  method: string,
  target: string,
  body?: object,
): Promise<Json> {
  const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json'
  const headers = { 'content-type': type, 'user-agent': 'compare' }
  const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
  const response = await cluster.fetch(new Request(`https://kedge.test${target}`, init))
  const answer = await response.json()
  if (!response.ok) throw new Error(`${method} ${target}: ${JSON.stringify(answer)}`)
  return answer
}

for (const [name, { steps }] of SCENARIOS) {
  describe(name, () => {
    const path = new URL(`${name}.${VERSION}.json`, import.meta.url)
    const wanted = JSON.parse(readFileSync(path, 'utf8')) as Shot[]
    const played = playHere(name)

    for (const [index, { does }] of steps.entries()) {
      test(`${index + 1}. ${does}`, async () => {
        expect((await played)[index]).toEqual(wanted[index]!)
      })
    }
  })
}
