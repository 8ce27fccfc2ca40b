// Plays the requests of one file against a server, in a fresh namespace, and keeps the answers.

import { normal, normalText } from './normal.ts'
import type { CaseRequest } from './requests.ts'

export type Send = (request: Request) => Promise<Response>

export type Answer = {
  name: string
  status: number
  type: string
  headers: Record<string, string | null>
  body: unknown
}

const JSON_TYPE = { 'content-type': 'application/json', 'user-agent': 'compare' }

/** What `send` answered to each request, in order, made comparable. */
export async function play(
  requests: readonly CaseRequest[],
  send: Send,
  where: { origin: string; namespace: string },
): Promise<Answer[]> {
  const { namespace } = where
  await prepareNamespace(send, where)
  const seen = new Map<string, Metadata>()
  const fill = (text: string) => fillText(text, namespace, seen)
  const answers: Answer[] = []
  for (const request of requests) {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), fill(value)]),
    )
    const response = await send(
      new Request(where.origin + fill(request.target), {
        method: request.method,
        headers: { 'user-agent': 'compare', accept: '*/*', ...headers },
        redirect: 'manual',
        ...(request.body === '' ? {} : { body: fill(request.body) }),
      }),
    )
    const body = parseBody(await response.text())
    if (isObject(body)) seen.set(request.name, body['metadata'] as Metadata)
    answers.push({
      name: request.name,
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      headers: Object.fromEntries(
        request.compareHeaders.map((name) => {
          const value = response.headers.get(name)
          return [name, value === null ? null : normalText(value, namespace)]
        }),
      ),
      body: normal(body, namespace, request),
    })
  }
  await send(new Request(`${where.origin}/api/v1/namespaces/${namespace}`, { method: 'DELETE' }))
  return answers
}

type Metadata = { resourceVersion?: string; uid?: string; continue?: string } | undefined

/** Admission of pods wants the default service account, which a controller would make. */
async function prepareNamespace(send: Send, { origin, namespace }: { origin: string; namespace: string }) {
  const post = (path: string, body: unknown) =>
    send(
      new Request(origin + path, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) }),
    ).then((response) => response.text())
  await post('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  })
  await post(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default' },
  })
}

function fillText(text: string, namespace: string, seen: ReadonlyMap<string, Metadata>): string {
  return text.replaceAll('{ns}', namespace).replace(/\{(rv|uid|continue):([^ }][^}]*)\}/g, (_, what, name) => {
    const metadata = seen.get(name)
    if (what === 'rv') return metadata?.resourceVersion ?? ''
    return (what === 'uid' ? metadata?.uid : metadata?.continue) ?? ''
  })
}

/** JSON, a list of JSON for the lines of a watch, or text. */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not one document; a watch sends one document a line.
  }
  try {
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.length === 0 ? text : lines.map((line) => JSON.parse(line))
  } catch {
    return text
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
