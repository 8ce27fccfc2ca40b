// From a request and stored objects to where it goes. Pure; throws ApiError in upstream's words.

import type { EndpointSlice, Pod, Service } from '../../api/schema/generated/types.ts'
import { ApiError, badRequest } from '../../api/status.ts'
import { parseIp } from '../../lib/ip.ts'
import type { Query } from '../request/query.ts'
import type { RequestInfo } from '../request/request-info.ts'
import type { StreamDeps, StreamObjects, Target } from './contract.ts'
import { logQuery } from './log-options.ts'

const POD_STREAMS = new Set(['log', 'exec', 'attach', 'portforward'])
const PROXIED = new Set(['pods', 'services', 'nodes'])

/** Does this request end at a node or in a pod? */
export function isStreamRequest({ group, resource, subresource }: RequestInfo): boolean {
  if (group !== '') return false
  if (resource === 'pods' && POD_STREAMS.has(subresource)) return true
  return subresource === 'proxy' && PROXIED.has(resource)
}

/** `rawPath` is needed for what follows `/proxy`, which goes on as it was sent. */
export function planTarget(
  info: RequestInfo,
  request: { rawPath: string; query: Query },
  deps: Pick<StreamDeps, 'objects' | 'random'>,
): Target {
  const { query } = request
  if (info.subresource === 'proxy') return planProxy(info, request, deps)
  const pod = deps.objects.pod(info.namespace, info.name)
  const where = `${pod.metadata.namespace}/${pod.metadata.name}`
  const nodeName = pod.spec.nodeName ?? ''
  if (info.subresource === 'log') {
    const options = logQuery(query, info.name)
    const container = containerOf(pod, query.get('container'))
    if (nodeName === '') return { is: 'nothing' }
    return { is: 'node', nodeName, path: `/containerLogs/${where}/${container}?${options}` }
  }
  if (info.subresource === 'portforward') {
    const ports = query.all('ports').map((port) => `port=${encodeURIComponent(port)}`)
    const path = `/portForward/${where}${ports.length > 0 ? `?${ports.join('&')}` : ''}`
    return { is: 'node', nodeName: assigned(pod, nodeName), path }
  }
  const container = containerOf(pod, query.get('container'))
  const path = `/${info.subresource}/${where}/${container}?${commandQuery(query)}`
  return { is: 'node', nodeName: assigned(pod, nodeName), path }
}

function assigned(pod: Pod, nodeName: string): string {
  if (nodeName !== '') return nodeName
  throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
}

function containerOf(pod: Pod, asked: string | undefined): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec
  const names = [...initContainers, ...containers, ...ephemeralContainers].map(({ name }) => name)
  const podName = pod.metadata.name
  if (asked) {
    if (names.includes(asked)) return asked
    throw badRequest(`container ${asked} is not valid for pod ${podName}`)
  }
  if (containers.length === 1) return containers[0]!.name
  const message = `a container name must be specified for pod ${podName}`
  throw badRequest(
    containers.length === 0 ? message : `${message}, choose one of: [${names.join(' ')}]`,
  )
}

/** The kubelet's names for what the API calls stdin, stdout and stderr. */
function commandQuery(query: Query): string {
  const params = new URLSearchParams()
  const names = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' }
  for (const [name, nodeName] of Object.entries(names)) {
    if (query.flag(name)) params.set(nodeName, '1')
  }
  for (const word of query.all('command')) params.append('command', word)
  return params.toString()
}

type ProxyRequest = { rawPath: string; query: Query }
type Named = { scheme: string; name: string; port: string }

function planProxy(
  info: RequestInfo,
  { rawPath, query }: ProxyRequest,
  { objects, random }: Pick<StreamDeps, 'objects' | 'random'>,
): Target {
  const named = splitName(info.name)
  if (named === undefined) {
    const kind = info.resource.slice(0, -1)
    throw badRequest(`invalid ${kind} request ${JSON.stringify(info.name)}`)
  }
  const path = `${pathAfterProxy(rawPath, info.name)}${query.raw === '' ? '' : `?${query.raw}`}`
  if (info.resource === 'nodes') return nodeTarget(objects, named, path)
  if (info.resource === 'pods')
    return podTarget(objects.pod(info.namespace, named.name), named, path)
  return serviceTarget(objects, info, named, { path, random })
}

/** What follows /proxy, beginning with a slash, as it was sent. */
export function pathAfterProxy(rawPath: string, name: string): string {
  const marker = new RegExp(
    `/(?:${escapeRegExp(name)}|${escapeRegExp(encodeURIComponent(name))})/proxy`,
  )
  const found = marker.exec(rawPath)
  if (found === null) return '/'
  const rest = rawPath.slice(found.index + found[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** `name`, `name:port` or `scheme:name:port`; undefined for anything else. */
export function splitName(text: string): Named | undefined {
  const parts = text.split(':')
  if (parts.length > 3) return undefined
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts]
  return name !== '' && ['', 'http', 'https'].includes(scheme) ? { scheme, name, port } : undefined
}

function nodeTarget(objects: StreamObjects, named: Named, path: string): Target {
  const node = objects.node(named.name)
  const nodeName = named.name
  const kubeletPort = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10_250
  if (named.port === '' || Number(named.port) === kubeletPort) return { is: 'node', nodeName, path }
  const port = portNumber(named.port)
  return { is: 'address', nodeName, host: '127.0.0.1', port, tls: named.scheme === 'https', path }
}

function podTarget(pod: Pod, named: Named, path: string): Target {
  const host = pod.status?.podIP ?? ''
  if (!isAllowed(host)) throw badRequest('address not allowed')
  const declared = pod.spec.containers.flatMap(({ ports = [] }) => ports)
  const tls = named.scheme === 'https'
  const fallback = declared[0]?.containerPort ?? (tls ? 443 : 80)
  const port = named.port === '' ? fallback : portNumber(named.port)
  return { is: 'address', nodeName: pod.spec.nodeName ?? '', host, port, tls, path }
}

function portNumber(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw badRequest(`invalid port ${JSON.stringify(text)}`)
}

/** Not this machine itself, and nothing that only one network segment knows. */
function isAllowed(host: string): boolean {
  if (parseIp(host) === undefined) return false
  return !/^(127\.|169\.254\.|0\.|22[4-9]\.|23\d\.|::1$|fe80:|ff)/i.test(host)
}

function serviceTarget(
  objects: StreamObjects,
  info: RequestInfo,
  named: Named,
  { path, random }: { path: string; random: () => number },
): Target {
  const service = objects.service(info.namespace, named.name)
  const portName = servicePortName(service, named)
  const slices = objects.slicesOf(info.namespace, named.name)
  const endpoints = slices.flatMap((slice) => endpointsOf(slice, portName))
  if (endpoints.length === 0) {
    const which = slices.length === 0 ? named.name : info.name
    throw unavailable(`no endpoints available for service ${JSON.stringify(which)}`)
  }
  const { nodeName, host, port } = endpoints[Math.floor(random() * endpoints.length)]!
  return { is: 'address', nodeName, host, port, tls: named.scheme === 'https', path }
}

/** Undefined: any port will do. */
function servicePortName(service: Service, { name, port }: Named): string | undefined {
  if (port === '') return undefined
  if (!/^\d+$/.test(port)) return port
  const found = service.spec?.ports?.find((candidate) => candidate.port === Number(port))
  if (found !== undefined) return found.name ?? ''
  throw unavailable(`no service port ${port} found for service ${JSON.stringify(name)}`)
}

function endpointsOf(slice: EndpointSlice, portName: string | undefined) {
  const ports = (slice.ports ?? []).filter((port) => port.port !== undefined)
  const port = ports.find(({ name = '' }) => portName === undefined || name === portName)?.port
  if (port === undefined) return []
  return (slice.endpoints ?? []).flatMap(({ addresses, conditions, nodeName = '' }) =>
    conditions?.ready === false ? [] : addresses.map((host) => ({ nodeName, host, port })),
  )
}

function unavailable(message: string): ApiError {
  return new ApiError(503, 'ServiceUnavailable', message)
}
