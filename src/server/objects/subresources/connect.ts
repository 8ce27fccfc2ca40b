// Connections into pods and to nodes (exec, attach, port-forward, proxy): admitted as CONNECT, with
// the options that they were asked for with as the object.

import type { AnyObject } from '../../../api/object.ts'
import type { Query } from '../../request/query.ts'
import type { RequestInfo } from '../../request/request-info.ts'
import type { ResourceRequest } from '../../server.ts'
import { runWrite, writeOf } from '../pipeline.ts'

type ReadOptions = (query: Query, info: RequestInfo) => object

const READERS = new Map<string, ReadOptions>([
  ['PodExecOptions', execOptions],
  ['PodAttachOptions', attachOptions],
  ['PodPortForwardOptions', portOptions],
  ['PodProxyOptions', proxyOptions],
  ['ServiceProxyOptions', proxyOptions],
  ['NodeProxyOptions', proxyOptions],
])

/** Runs `open` once the connection is admitted. Logs are read, and connect nothing. */
export async function connect<T>(request: ResourceRequest, open: () => T | Promise<T>): Promise<T> {
  const { row, info, call } = request
  const kind = row.actions.find(({ name }) => name === info.subresource)?.kind ?? ''
  const read = READERS.get(kind)
  if (read === undefined) return open()
  const object = { kind, apiVersion: 'v1', ...read(call.query, info) } as unknown as AnyObject
  const options = { group: '', version: 'v1', kind }
  const write = writeOf(request, { operation: 'CONNECT', object, dryRun: false, kind: options })
  return runWrite(write, { store: open })
}

function execOptions(query: Query): object {
  const command = query.all('command')
  return { ...attachOptions(query), ...(command.length === 0 ? {} : { command: [...command] }) }
}

function attachOptions(query: Query): object {
  const flags = (['stdin', 'stdout', 'stderr', 'tty'] as const).filter((name) => query.flag(name))
  const container = query.get('container')
  return {
    ...Object.fromEntries(flags.map((name) => [name, true])),
    ...(container ? { container } : {}),
  }
}

function portOptions(query: Query): object {
  const ports = query.all('ports').map(Number).filter(Number.isInteger)
  return ports.length === 0 ? {} : { ports }
}

function proxyOptions(_query: Query, { rest }: RequestInfo): object {
  return rest === '' ? {} : { path: rest }
}
