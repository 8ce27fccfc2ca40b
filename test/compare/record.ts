// Asks a real API server for the answers: bun test/compare/record.ts KUBECONFIG [GROUP/KIND …]

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { CASES, caseNames, recordingsOf, requestsOf } from './cases.ts'
import { play, type Send } from './play.ts'

type Kubeconfig = {
  clusters: { cluster: { server: string } }[]
  users: { user: Record<string, string | undefined> }[]
}

const [kubeconfigPath, ...chosen] = process.argv.slice(2)
if (kubeconfigPath === undefined) throw new Error('say which kubeconfig to use')
const { origin, send } = connect(kubeconfigPath)
const version = await send(new Request(`${origin}/version`))
const { gitVersion } = (await version.json()) as { gitVersion: string }
const names = chosen.map((name) => name.replace(/^.*cases\//, '').replace(/\.http$/, ''))
for (const name of names.length > 0 ? names : caseNames()) {
  const namespace = `cmp-${crypto.randomUUID().slice(0, 8)}`
  const answers = await play(requestsOf(name), send, { origin, namespace })
  for (const { path } of recordingsOf(name)) rmSync(path)
  writeFileSync(`${CASES}${name}.${gitVersion}.json`, `${JSON.stringify(answers, null, 1)}\n`)
  process.stdout.write(`${name}: ${answers.length} answers of ${gitVersion}\n`)
}

function connect(path: string): { origin: string; send: Send } {
  const config = load(readFileSync(path, 'utf8')) as Kubeconfig
  const user = config.users[0]!.user
  const pem = (key: string) => Buffer.from(user[`${key}-data`] ?? '', 'base64').toString()
  const tls = {
    rejectUnauthorized: false,
    cert: pem('client-certificate'),
    key: pem('client-key'),
  }
  return {
    origin: config.clusters[0]!.cluster.server,
    send: (request) => fetch(request, { tls } as RequestInit),
  }
}
