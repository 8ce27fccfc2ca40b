// Every suite, on the machines it needs, in an order by chance: KEDGE_TEST_SEED=N repeats one.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cannotRun, kubectlPrograms } from '../support/machines.ts'
import { type Cluster, startCluster } from './cluster.ts'
import {
  byMachines,
  declare,
  describeMachines,
  type Machines,
  type Suite,
  shuffled,
} from './suite.ts'
import { changingSuite } from './suites/changing.ts'
import { clientsSuite } from './suites/clients.ts'
import { controlPlaneSuite } from './suites/control-plane.ts'
import { imagesSuite } from './suites/images.ts'
import { lookingSuite } from './suites/looking.ts'
import { nodesSuite } from './suites/nodes.ts'
import { podsSuite } from './suites/pods.ts'
import { setsSuite } from './suites/sets.ts'
import { streamsSuite } from './suites/streams.ts'
import { survivalSuite } from './suites/survival.ts'
import { webSuite } from './suites/web.ts'

const SUITES: readonly Suite[] = [
  webSuite,
  lookingSuite,
  streamsSuite,
  changingSuite,
  setsSuite,
  clientsSuite,
  podsSuite,
  imagesSuite,
  nodesSuite,
  survivalSuite,
  controlPlaneSuite,
]

const reason = cannotRun()
const seed = Number(process.env.KEDGE_TEST_SEED ?? crypto.getRandomValues(new Uint16Array(1))[0])
const programs = reason === undefined ? kubectlPrograms() : []
const order = shuffled(SUITES, seed)
const told = `KEDGE_TEST_SEED=${seed}: ${order.map(({ name }) => name).join(', ')}`
if (reason === undefined) console.log(told)

for (const [machines, suites] of byMachines(order)) clusterOf(machines, suites)

function clusterOf(machines: Machines, suites: readonly Suite[]): void {
  const title = `a cluster of ${describeMachines(machines)} ${reason ?? ''}`
  describe.skipIf(reason !== undefined)(title, () => {
    let cluster: (Cluster & AsyncDisposable) | undefined
    const get = () => {
      if (cluster === undefined) throw new Error('the cluster did not start')
      return cluster
    }

    beforeAll(async () => {
      cluster = await startCluster(machines)
    }, 180_000)

    afterAll(async () => {
      await cluster?.[Symbol.asyncDispose]()
    }, 60_000)

    test('every node is Ready', async () => {
      const { kubectl, nodeCount } = get()
      const nodes = await kubectl(['get', 'nodes', '--no-headers'])
      expect(nodes.match(/ Ready /g) ?? []).toHaveLength(nodeCount)
    })

    for (const suite of suites) declare(suite, get, programs)
  })
}
