// GET and durable POST of a 1 KiB ConfigMap over TLS, with a token and RBAC, by wrk.

import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubectlOf, ok } from '../support/machines.ts'
import { type Bench, compare, type Measure } from './compare.ts'
import { ownCluster } from './own.ts'
import { type Cluster, peerCluster } from './peer.ts'

const ROUNDS = 5
const SECONDS = 4
const WARM_UPS = 2
const NAMESPACE = 'kedge-bench'

export const bench: Bench = {
  name: 'api',
  target:
    'GET and durable POST of a 1 KiB ConfigMap: TLS, token, RBAC, wrk, against kube-apiserver',
  async run() {
    if (!Bun.which('wrk')) throw new Error('wrk is missing: install it with apt-get install wrk')
    await using own = await ownCluster({ withNode: false })
    const folder = await mkdtemp(join(tmpdir(), 'kedge-bench-'))
    const peer = peerCluster()
    try {
      const ours = await measureOf(own, folder)
      const theirs = 'missing' in peer ? peer : await measureOf(peer, folder)
      // Both run for years: what is measured is not their first seconds.
      for (let i = 0; i < WARM_UPS; i++) for (const side of [ours, theirs]) await warmUp(side)
      const better = 'higher' as const
      return await compare(
        [
          { name: 'GET, 50 connections', value: 'get', unit: '/s', target: 4, better },
          { name: 'GET p99', value: 'getP99', unit: 'ms', target: 0.25, better: 'lower' },
          { name: 'POST, 64 connections', value: 'post', unit: '/s', target: 4, better },
          { name: 'POST p99', value: 'postP99', unit: 'ms', target: 0.25, better: 'lower' },
        ],
        { ours, peer: theirs, rounds: ROUNDS },
      )
    } finally {
      if (!('missing' in peer)) {
        await kubectlOf(peer.kubeconfig).try(['delete', 'namespace', NAMESPACE, '--wait=false'])
      }
      await rm(folder, { recursive: true })
    }
  },
}

async function warmUp(side: Measure | { missing: string }): Promise<void> {
  if (!('missing' in side)) await side()
}

/** A service account that may do this and no more, and one ConfigMap to read. */
async function measureOf({ kubeconfig, url }: Cluster, folder: string): Promise<Measure> {
  const kubectl = kubectlOf(kubeconfig)
  const inside = ['-n', NAMESPACE]
  await kubectl(['create', 'namespace', NAMESPACE])
  await kubectl([...inside, 'create', 'serviceaccount', 'bench'])
  const verbs = '--verb=get,create'
  await kubectl([...inside, 'create', 'role', 'bench', verbs, '--resource=configmaps'])
  const account = `--serviceaccount=${NAMESPACE}:bench`
  await kubectl([...inside, 'create', 'rolebinding', 'bench', '--role=bench', account])
  await kubectl([
    ...inside,
    'create',
    'configmap',
    'one',
    `--from-literal=data=${'x'.repeat(1024)}`,
  ])
  const token = (await kubectl([...inside, 'create', 'token', 'bench', '--duration=2h'])).trim()
  const base = `${url}/api/v1/namespaces/${NAMESPACE}/configmaps`
  let round = 0
  return async () => {
    round++
    const script = join(folder, `post-${round}-${Bun.hash(url)}.lua`)
    writeFileSync(script, postScript(`r${round}`))
    const header = ['-H', `Authorization: Bearer ${token}`]
    const common = ['wrk', '-t2', `-d${SECONDS}s`, '--latency', ...header]
    const get = readReport(await ok([...common, '-c50', `${base}/one`]))
    const post = readReport(await ok([...common, '-c64', '-s', script, base]))
    return { get: get.perSecond, getP99: get.p99Ms, post: post.perSecond, postP99: post.p99Ms }
  }
}

function postScript(prefix: string): string {
  return `
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
local count = 0
request = function()
  count = count + 1
  local name = "${prefix}-" .. id .. "-" .. count
  local body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"' .. name ..
    '"},"data":{"data":"${'x'.repeat(1024)}"}}'
  return wrk.format("POST", nil, {["Content-Type"]="application/json",
    ["Authorization"]=wrk.headers["Authorization"]}, body)
end
`
}

function readReport(text: string): { perSecond: number; p99Ms: number } {
  if (/Non-2xx or 3xx responses: (\d+)/.test(text)) throw new Error(`wrk met errors: ${text}`)
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1])
  const [, amount, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? []
  const scale = { us: 1e-3, ms: 1, s: 1e3 }[unit ?? 'ms'] ?? 1
  return { perSecond, p99Ms: Number(amount) * scale }
}
