// One cluster, every suite, in order.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cannotRun, kubectlPrograms } from '../support/machines.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { changingSuite } from './suites/changing.ts'
import { imagesSuite } from './suites/images.ts'
import { lookingSuite } from './suites/looking.ts'
import { nodesSuite } from './suites/nodes.ts'
import { podsSuite } from './suites/pods.ts'
import { streamsSuite } from './suites/streams.ts'
import { survivalSuite } from './suites/survival.ts'
import { webSuite } from './suites/web.ts'

const reason = cannotRun()

describe.skipIf(reason !== undefined)(`a cluster of two machines ${reason ?? ''}`, () => {
  let cluster: (Cluster & AsyncDisposable) | undefined
  const get = () => {
    if (cluster === undefined) throw new Error('the cluster did not start')
    return cluster
  }

  beforeAll(async () => {
    cluster = await startCluster()
  }, 180_000)

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
  }, 60_000)

  test('both nodes are Ready', async () => {
    const nodes = await get().kubectl(['get', 'nodes', '--no-headers'])
    expect(nodes.match(/ Ready /g)).toHaveLength(2)
  })

  webSuite(get)
  for (const { program, version } of reason === undefined ? kubectlPrograms() : []) {
    describe(`kubectl ${version}`, () => {
      lookingSuite(get, program)
      streamsSuite(get, program)
      changingSuite(get, program, `ke-changing-${version.replace('.', '-')}`)
    })
  }
  podsSuite(get)
  imagesSuite(get)
  nodesSuite(get)
  survivalSuite(get)
})
