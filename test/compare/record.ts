// Asks a real API server for the answers: bun test/compare/record.ts KUBECONFIG [FILE.http …]

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { play, type Send } from './play.ts'
import { parseRequests } from './requests.ts'

type Kubeconfig = {
  clusters: { cluster: { server: string } }[]
  users: { user: Record<string, string | undefined> }[]
}

const CASES = new URL('cases/', import.meta.url).pathname

const [kubeconfigPath, ...chosen] = process.argv.slice(2)
if (kubeconfigPath === undefined) throw new Error('say which kubeconfig to use')
const { origin, send } = connect(kubeconfigPath)
const files =
  chosen.length > 0
    ? chosen.map((file) => file.replace(/^.*\//, ''))
    : readdirSync(CASES).filter((file) => file.endsWith('.http'))
for (const file of files) {
  const requests = parseRequests(readFileSync(CASES + file, 'utf8'))
  const namespace = `cmp-${crypto.randomUUID().slice(0, 8)}`
  const answers = await play(requests, send, { origin, namespace })
  const path = CASES + file.replace(/\.http$/, '.json')
  writeFileSync(path, `${JSON.stringify(answers, null, 1)}\n`)
  process.stdout.write(`${file}: ${answers.length} answers\n`)
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
