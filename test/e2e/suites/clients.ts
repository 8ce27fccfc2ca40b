// The official clients of other languages, with a pod on each node.

import { expect, test } from 'bun:test'
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../support/machines.ts'
import { type Cluster, useExample } from '../cluster.ts'
import type { Suite } from '../suite.ts'

const SCRIPTS = join(import.meta.dir, '../../clients')
/** Made by test/clients/build. */
const BUILT = join(import.meta.dir, '../../../.build/clients')

const CLIENTS = [
  { language: 'python', program: 'bin/python', script: 'streams.py' },
  { language: 'node', program: 'node_modules/.bin/node', script: 'streams.mjs' },
]

export const clientsSuite: Suite = {
  name: 'official clients',
  machines: { servers: 1, agents: 1 },
  tests: clientsTests,
}

function clientsTests(get: () => Cluster): void {
  useExample(get)
  for (const { language, program, script } of CLIENTS) {
    const folder = join(BUILT, language)
    const isThere = existsSync(join(folder, 'ready'))
    const why = isThere ? '' : '(not there: test/clients/build)'
    test.skipIf(!isThere)(`${language}: logs, exec, cp, port-forward, watch ${why}`, async () => {
      const copy = join(folder, script)
      // Beside the libraries, where Node looks for them.
      copyFileSync(join(SCRIPTS, script), copy)
      const pods = await get().podsReady('app=web', 3)
      for (const node of ['server', 'edge']) {
        const { name } = pods.find((pod) => pod.node === node)!
        const { stdout, stderr } = await run([join(folder, program), copy, get().kubeconfig, name])
        const lines = stdout.split('\n').filter(Boolean)
        expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([])
        expect({ node, count: lines.length, stderr }).toMatchObject({ count: COUNTS[script] })
      }
    })
  }
}

/** A script that ends early has not tried everything. */
const COUNTS: Record<string, number> = { 'streams.py': 10, 'streams.mjs': 11 }
