// From a request and stored objects to where it goes. Pure; throws ApiError in upstream's words.

import type {
  Endpoint,
  EndpointSlice,
  Node,
  Pod,
  Service,
} from '../../api/schema/generated/types.ts'
import { ApiError, badRequest } from '../../api/status.ts'
import { isGlobalUnicast, parseIp } from '../../lib/ip.ts'
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
  const host = nodeAddress(node)
  if (!isProxyable(host)) throw notAllowed()
  return { is: 'address', nodeName, host, port, tls: named.scheme === 'https', path }
}

/** The address by which others reach the node: what listens on its loopback is its own affair. */
function nodeAddress({ status }: Node): string {
  const addresses = status?.addresses ?? []
  const ofType = (type: string) => addresses.find((one) => one.type === type)?.address
  return ofType('InternalIP') ?? ofType('ExternalIP') ?? ''
}

function podTarget(pod: Pod, named: Named, path: string): Target {
  const host = addressesOf(pod)[0] ?? ''
  if (!isProxyable(host)) throw notAllowed()
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

/** May a proxy connect to it? No name, and no address that means another machine to each. */
export function isProxyable(host: string): boolean {
  const ip = parseIp(host)
  return ip !== undefined && isGlobalUnicast(ip)
}

function notAllowed(): ApiError {
  return badRequest('address not allowed')
}

function addressesOf({ status }: Pod): string[] {
  const { podIP, podIPs = [] } = status ?? {}
  if (podIPs.length > 0) return podIPs.map(({ ip }) => ip)
  return podIP === undefined ? [] : [podIP]
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
  const first = Math.floor(random() * endpoints.length)
  for (let i = 0; i < endpoints.length; i++) {
    const { endpoint, host, port } = endpoints[(first + i) % endpoints.length]!
    const pod = podBehind(endpoint, host, info.namespace, objects)
    if (pod === undefined || !isProxyable(host)) continue
    const nodeName = pod.spec.nodeName ?? ''
    return { is: 'address', nodeName, host, port, tls: named.scheme === 'https', path }
  }
  const which = slices.length === 0 ? named.name : info.name
  throw unavailable(`no endpoints available for service ${JSON.stringify(which)}`)
}

/**
 * The pod whose address `host` really is. Whoever may write slices must not thereby choose where
 * the server connects to: it must be a pod of the same namespace, and one that has the address.
 */
function podBehind(
  { targetRef }: Endpoint,
  host: string,
  namespace: string,
  objects: StreamObjects,
): Pod | undefined {
  if (targetRef?.name === undefined || targetRef.namespace !== namespace) return undefined
  const pod = podOrNothing(objects, namespace, targetRef.name)
  return pod !== undefined && addressesOf(pod).includes(host) ? pod : undefined
}

function podOrNothing(objects: StreamObjects, namespace: string, name: string): Pod | undefined {
  try {
    return objects.pod(namespace, name)
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return undefined
    throw error
  }
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
  if (slice.addressType === 'FQDN') return []
  const ports = (slice.ports ?? []).filter((port) => port.port !== undefined)
  const port = ports.find(({ name = '' }) => portName === undefined || name === portName)?.port
  if (port === undefined) return []
  return (slice.endpoints ?? []).flatMap((endpoint) =>
    endpoint.conditions?.ready === false
      ? []
      : endpoint.addresses.map((host) => ({ endpoint, host, port })),
  )
}

function unavailable(message: string): ApiError {
  return new ApiError(503, 'ServiceUnavailable', message)
}
