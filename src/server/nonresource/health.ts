// Am I well? The three questions that upstream answers, with the same words.

import type { Admitted } from '../request/admitted.ts'
import { pageNotFound } from '../response/errors.ts'
import type { Server } from '../server.ts'
import type { Answer } from '../transport/call.ts'

type Check = {
  name: string
  /** Only asked for readiness. */
  readyOnly?: boolean
  /** What is wrong: shown to who asks for this check alone. */
  fault(server: Server): string | undefined
}

const unless = (isWell: boolean) => (isWell ? undefined : 'failed')

const CHECKS: readonly Check[] = [
  { name: 'ping', fault: () => undefined },
  { name: 'log', fault: () => undefined },
  { name: 'etcd', fault: ({ store }) => unless(store.revision >= 0) },
  {
    name: 'poststarthook/rbac/bootstrap-roles',
    readyOnly: true,
    fault: ({ store }) => unless(store.get('clusterroles/cluster-admin') !== undefined),
  },
  {
    name: 'poststarthook/bootstrap-controller',
    readyOnly: true,
    fault: ({ store }) => unless(store.get('services/specs/default/kubernetes') !== undefined),
  },
]

/** All paths under which one may ask. */
export function healthPaths(): string[] {
  return ['healthz', 'livez', 'readyz'].flatMap((question) => [
    `/${question}`,
    ...checksOf(question).map(({ name }) => `/${question}/${name}`),
  ])
}

const checksOf = (question: string) =>
  CHECKS.filter((check) => question === 'readyz' || !check.readyOnly)

export function health(server: Server, { call }: Admitted): Answer {
  const [, question = '', ...rest] = call.path.split('/')
  const more = (server.checks ?? []).map((check): Check => ({ ...check, readyOnly: true }))
  const asked = [...checksOf(question), ...(question === 'readyz' ? more : [])]
  const name = rest.join('/')
  if (name !== '') {
    const check = asked.find((one) => one.name === name)
    if (check === undefined) return pageNotFound()
    const fault = check.fault(server)
    return fault === undefined ? plain(200, 'ok') : plain(500, `internal server error: ${fault}\n`)
  }
  const excluded = new Set(call.query.all('exclude'))
  const lines: string[] = []
  let well = true
  for (const check of asked) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`)
    } else if (check.fault(server) === undefined) {
      lines.push(`[+]${check.name} ok`)
    } else {
      lines.push(`[-]${check.name} failed: reason withheld`)
      well = false
    }
  }
  if (well && !call.query.flag('verbose')) return plain(200, 'ok')
  if (excluded.size > 0) {
    const names = [...excluded].map((one) => JSON.stringify(one)).join(',')
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`)
  }
  lines.push(`${question} check ${well ? 'passed' : 'failed'}`, '')
  return plain(well ? 200 : 500, lines.join('\n'))
}

function plain(code: number, body: string): Answer {
  const headers = {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
  }
  return { code, headers, body }
}
