// The options of pods/log: checked here, passed on to the node.

import { badRequest, type FieldError, fieldError, invalid } from '../../api/status.ts'
import type { Query } from '../request/query.ts'

const STREAMS = ['All', 'Stderr', 'Stdout']

/** The query of the node's own path. Throws 400 for what is no number, 422 for nonsense. */
export function logQuery(query: Query, podName: string): string {
  const faults: FieldError[] = []
  const params = new URLSearchParams()
  for (const name of ['follow', 'previous', 'timestamps']) {
    if (query.flag(name)) params.set(name, 'true')
  }
  const since = query.get('sinceTime')
  const seconds = integer(query, 'sinceSeconds')
  if (since !== undefined && seconds !== undefined) {
    const detail = 'at most one of `sinceTime` or `sinceSeconds` may be specified'
    faults.push(fieldError.forbidden('', detail))
  } else if (seconds !== undefined && seconds < 1) {
    faults.push(fieldError.invalid('sinceSeconds', seconds, 'must be greater than 0'))
  }
  const tail = integer(query, 'tailLines')
  if (tail !== undefined && tail < 0) {
    faults.unshift(fieldError.invalid('tailLines', tail, 'must be greater than or equal to 0'))
  }
  const limit = integer(query, 'limitBytes')
  if (limit !== undefined && limit < 1) {
    faults.push(fieldError.invalid('limitBytes', limit, 'must be greater than 0'))
  }
  const stream = query.get('stream') ?? 'All'
  if (!STREAMS.includes(stream)) faults.push(fieldError.notSupported('stream', stream, STREAMS))
  else if (stream !== 'All' && tail !== undefined) {
    const detail = '`tailLines` and specific `stream` are mutually exclusive for now'
    faults.push(fieldError.forbidden('', detail))
  }
  if (faults.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, podName, faults)
  if (since !== undefined) params.set('sinceTime', time(since))
  const numbers = { sinceSeconds: seconds, tailLines: tail, limitBytes: limit }
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined) params.set(name, String(value))
  }
  params.set('stream', stream)
  return params.toString()
}

function integer(query: Query, name: string): number | undefined {
  const text = query.get(name)
  if (text === undefined || text === '') return undefined
  if (/^[+-]?\d+$/.test(text)) return Number(text)
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
}

function time(text: string): string {
  if (!Number.isNaN(Date.parse(text))) return text
  const what = JSON.stringify(text)
  throw badRequest(
    `parsing time ${what} as "2006-01-02T15:04:05Z07:00": cannot parse ${what} as "2006"`,
  )
}
