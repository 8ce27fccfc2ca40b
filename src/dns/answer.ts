// One question about the cluster, answered from a view of it. Pure.
//
// Specification: github.com/kubernetes/dns, docs/specification.md, version 1.1.0. Where that is
// silent, as CoreDNS with its plugin kubernetes (pods insecure), to the letter: test/compare/dns
// holds what it answers.
//
//   [endpoint | _port._protocol] . service . namespace . svc . cluster.local
//   any . any . 10-42-0-7        . namespace . pod . cluster.local

import type { Answer } from 'dns-packet'
import type { EndpointSlice, Service } from '../api/schema/generated/types.ts'
import { formatIp, type Ip, parseIp } from '../lib/ip.ts'
import type { Question, QuestionType } from './message.ts'

export interface DnsView {
  /** Everything has been seen once: what is not there does not exist. */
  readonly isComplete: boolean
  service(namespace: string, name: string): Service | undefined
  slices(namespace: string, name: string): readonly EndpointSlice[]
  hasNamespace(name: string): boolean
  serviceByIp(ip: string): Service | undefined
  slicesByIp(ip: string): readonly EndpointSlice[]
}

/** A zone that is answered for. */
export type Zone = {
  /** Without dots at its ends: cluster.local. */
  readonly domain: string
  /** Where the zone's own name server is. */
  readonly address: string
}

export type DnsAnswer =
  | {
      kind: 'records'
      rcode: 'NOERROR' | 'NXDOMAIN' | 'REFUSED'
      /** The zone that the name is in. */
      zone: string
      answers: Answer[]
      additionals: Answer[]
    }
  /** A name that leads out of the cluster; what it points to is for the forwarder to find. */
  | { kind: 'alias'; zone: string; aliases: Answer[]; target: string }
  /** Not a name of the cluster. */
  | { kind: 'foreign' }

/** What CoreDNS gives cluster records; long enough to spare a burst, short enough for a rollout. */
export const TTL_SECONDS = 5
/** The version of the specification does not change while we run. */
const VERSION_TTL_SECONDS = 28_800
const SPECIFICATION_VERSION = '1.1.0'
const REVERSE_ZONES = ['in-addr.arpa', 'ip6.arpa']
/** An alias may lead to the next so many times. */
const ALIASES_MAX = 10

/** What a name stands for: an address with a port, or another name. */
type Target = {
  readonly host: string
  readonly isName: boolean
  /** undefined where no port is known. */
  readonly port: number | undefined
  /** The name of the one behind it, for SRV. */
  readonly owner: string
}

/** undefined: there is no such name. Empty: there is, and nothing that it stands for. */
type Targets = readonly Target[] | undefined

export function answer(question: Question, zone: Zone, view: DnsView): DnsAnswer {
  const name = question.name.toLowerCase()
  const apex = [zone.domain, ...REVERSE_ZONES].find(
    (one) => name === one || name.endsWith(`.${one}`),
  )
  if (apex === undefined) return { kind: 'foreign' }
  return new Answering(question, name, apex, zone, view).answer()
}

class Answering {
  readonly #asked: Question
  readonly #name: string
  readonly #apex: string
  readonly #zone: Zone
  readonly #view: DnsView

  constructor(asked: Question, name: string, apex: string, zone: Zone, view: DnsView) {
    this.#asked = asked
    this.#name = name
    this.#apex = apex
    this.#zone = zone
    this.#view = view
  }

  answer(): DnsAnswer {
    const isApex = this.#name === this.#apex
    switch (this.#asked.type) {
      case 'AXFR':
      case 'IXFR':
        return this.#refused()
      case 'SOA':
        return this.#found(isApex ? [startOfAuthority(this.#apexAsAsked())] : [])
      case 'NS':
        return isApex ? this.#nameServer() : this.#known(this.#targets(this.#name))
      case 'PTR':
        return this.#reverse()
      case 'TXT':
        return this.#texts()
      case 'SRV':
        return this.#services()
      case 'CNAME':
        return this.#alias()
      case 'A':
      case 'AAAA':
        return this.#addresses(this.#asked.type)
      default:
        return this.#known(this.#targets(this.#name))
    }
  }

  #addresses(type: 'A' | 'AAAA'): DnsAnswer {
    const targets = this.#targets(this.#name)
    if (targets === undefined) return this.#missing()
    const [first] = targets
    if (first?.isName) return this.#follow(first.host, type)
    return this.#found(addressRecords(this.#asked.name, targets, type))
  }

  /** Where an alias leads: the addresses there, or the way out of the cluster. */
  #follow(first: string, type: QuestionType): DnsAnswer {
    const aliases: Answer[] = []
    const seen = new Set<string>([this.#name])
    let from = this.#asked.name
    let target = first
    for (let steps = 0; steps <= ALIASES_MAX; steps++) {
      if (seen.has(target.toLowerCase())) return this.#found([])
      seen.add(target.toLowerCase())
      aliases.push(aliasRecord(from, target))
      const name = target.toLowerCase()
      if (!isWithin(name, this.#apex)) return this.#outside(aliases, target)
      const targets = this.#targets(name) ?? []
      const [next] = targets
      if (!next?.isName) {
        const records = addressRecords(target, targets, type)
        return this.#found(records.length === 0 ? [] : [...aliases, ...records])
      }
      from = target
      target = next.host
    }
    return this.#found([])
  }

  #outside(aliases: Answer[], target: string): DnsAnswer {
    return { kind: 'alias', zone: this.#apexAsAsked(), aliases, target }
  }

  #alias(): DnsAnswer {
    const targets = this.#targets(this.#name)
    if (targets === undefined) return this.#missing()
    const [first] = targets
    return this.#found(first?.isName ? [aliasRecord(this.#asked.name, first.host)] : [])
  }

  #texts(): DnsAnswer {
    const name = this.#asked.name
    if (this.#name === `dns-version.${this.#apex}`) {
      const ttl = VERSION_TTL_SECONDS
      return this.#found([{ type: 'TXT', name, ttl, data: SPECIFICATION_VERSION }])
    }
    const targets = this.#targets(this.#name) ?? []
    return targets.length > 0 ? this.#found([]) : this.#missing()
  }

  #services(): DnsAnswer {
    const targets = this.#targets(this.#name)?.filter(({ isName }) => !isName)
    if (targets === undefined) return this.#missing()
    // Each gets its share, those without a port too; the smallest is one.
    const weight = Math.max(1, Math.floor(100 / targets.length))
    const answers = new Map<string, Answer>()
    const additionals = new Map<string, Answer>()
    for (const { host, port, owner } of targets) {
      if (port === undefined) continue
      const data = { priority: 0, weight, port, target: owner }
      const ttl = TTL_SECONDS
      answers.set(`${owner} ${port}`, { type: 'SRV', name: this.#asked.name, ttl, data })
      const type = parseIp(host)?.family === 6 ? 'AAAA' : 'A'
      additionals.set(`${owner} ${host}`, { type, name: owner, ttl, data: host })
    }
    return this.#found([...answers.values()], [...additionals.values()])
  }

  #nameServer(): DnsAnswer {
    const name = this.#asked.name
    const server = `ns.dns.${this.#apexAsAsked()}`
    const data = this.#zone.address
    const ttl = TTL_SECONDS
    return this.#found(
      [{ type: 'NS', name, ttl, data: server }],
      [{ type: 'A', name: server, ttl, data }],
    )
  }

  #reverse(): DnsAnswer {
    const ip = addressOfReverse(this.#name)
    if (ip === undefined) return this.#known(this.#targets(this.#name))
    const data = [...new Set(this.#namesOf(formatIp(ip)))]
    if (data.length === 0) return this.#missing()
    const name = this.#asked.name
    return this.#found(data.map((one) => ({ type: 'PTR', name, ttl: TTL_SECONDS, data: one })))
  }

  #namesOf(ip: string): string[] {
    const inDomain = (name: string) => `${name}.svc.${this.#zone.domain}`
    const service = this.#view.serviceByIp(ip)
    if (service) {
      return [inDomain(`${service.metadata.name}.${service.metadata.namespace}`)]
    }
    return this.#view.slicesByIp(ip).flatMap((slice) => {
      const owner = slice.metadata.labels?.['kubernetes.io/service-name']
      if (owner === undefined) return []
      return readyEndpoints(slice)
        .filter((endpoint) => endpoint.ip === ip)
        .map(({ label }) => inDomain(`${label}.${owner}.${slice.metadata.namespace}`))
    })
  }

  #targets(name: string): Targets {
    if (REVERSE_ZONES.includes(this.#apex)) return name === this.#apex ? [] : undefined
    if (name === this.#apex) return []
    if (name === `ns.dns.${this.#apex}`) return this.#ownAddress(name)
    const labels = name.slice(0, -this.#apex.length - 1).split('.')
    const [kind, namespace, service, ...rest] = labels.toReversed()
    if (kind !== 'svc' && kind !== 'pod') return undefined
    if (namespace === undefined) return []
    if (rest.length > 2 || !this.#view.hasNamespace(namespace)) return undefined
    if (service === undefined) return []
    if (kind === 'pod') return this.#pod(service, `${service}.${namespace}.pod`)
    const found = this.#view.service(namespace, service)
    return found && this.#service(found, rest)
  }

  /** The address is in the name, the pod need not exist; what stands before it says nothing. */
  #pod(label: string, name: string): Targets {
    const isIpv4 = label.split('-').length === 4 && !label.includes('--')
    const ip = parseIp(label.replaceAll('-', isIpv4 ? '.' : ':'))
    return ip && [this.#address(formatIp(ip), `${name}.${this.#apexAsAsked()}`)]
  }

  /** Of the name server itself: known by its address alone. */
  #ownAddress(name: string): Targets {
    const { type } = this.#asked
    if (type === 'TXT' || type === 'PTR') return undefined
    return type === 'SRV' ? [] : [this.#address(this.#zone.address, name)]
  }

  #address(host: string, owner: string): Target {
    return { host, isName: false, port: 0, owner }
  }

  /** `before` are the labels before the Service, from right to left. */
  #service(service: Service, before: readonly string[]): Targets {
    const { metadata, spec = {} } = service
    const base = `${metadata.name}.${metadata.namespace}.svc.${this.#apexAsAsked()}`
    if (spec.type === 'ExternalName') {
      const host = (spec.externalName ?? '').replace(/\.$/, '')
      // An address is no name, and a record of addresses is not what was asked for.
      if (before.length > 0 || parseIp(host) !== undefined) return undefined
      return [{ host, isName: true, port: undefined, owner: base }]
    }
    const endpoint = before.length === 1 ? before[0] : undefined
    const [protocol, port] = before.length === 2 ? before.map(withoutUnderscore) : []
    const isAsked = (one: AnyPort) =>
      (!port || port === (one.name ?? '').toLowerCase()) &&
      (!protocol || protocol === (one.protocol ?? 'TCP').toLowerCase())
    const targets =
      spec.clusterIP === 'None' || endpoint !== undefined
        ? this.#endpoints(service, base, { endpoint, isAsked })
        : (spec.ports ?? []).filter(isAsked).flatMap((one) =>
            (spec.clusterIPs ?? []).map((host) => {
              return { host, isName: false, port: one.port, owner: base }
            }),
          )
    return targets.length === 0 ? undefined : targets
  }

  #endpoints(
    { metadata }: Service,
    base: string,
    asked: { endpoint: string | undefined; isAsked: (port: AnyPort) => boolean },
  ): Target[] {
    return this.#view.slices(metadata.namespace!, metadata.name!).flatMap((slice) => {
      const all: readonly AnyPort[] = slice.ports?.length ? slice.ports : [PORTLESS]
      const ports = all.filter(asked.isAsked)
      return readyEndpoints(slice)
        .filter(({ label }) => asked.endpoint === undefined || label === asked.endpoint)
        .flatMap(({ ip, label }) =>
          ports.map(({ port }) => {
            return { host: ip, isName: false, port, owner: `${label}.${base}` }
          }),
        )
    })
  }

  /** The zone in the letters of the question. */
  #apexAsAsked(): string {
    return this.#asked.name.slice(-this.#apex.length)
  }

  #known(targets: Targets): DnsAnswer {
    return targets === undefined ? this.#missing() : this.#found([])
  }

  #found(answers: Answer[], additionals: Answer[] = []): DnsAnswer {
    const zone = this.#apexAsAsked()
    return { kind: 'records', rcode: 'NOERROR', zone, answers, additionals }
  }

  /** Addresses that nobody here has may still have names elsewhere. */
  #missing(): DnsAnswer {
    if (REVERSE_ZONES.includes(this.#apex)) return { kind: 'foreign' }
    const zone = this.#apexAsAsked()
    return { kind: 'records', rcode: 'NXDOMAIN', zone, answers: [], additionals: [] }
  }

  #refused(): DnsAnswer {
    const zone = this.#apexAsAsked()
    return { kind: 'records', rcode: 'REFUSED', zone, answers: [], additionals: [] }
  }
}

type AnyPort = { name?: string; port?: number; protocol?: string }

/** An endpoint without ports has no protocol either. */
const PORTLESS: AnyPort = { protocol: '' }

function readyEndpoints(slice: EndpointSlice): { ip: string; label: string }[] {
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, hostname }) =>
      addresses.map((ip) => ({ ip, label: (hostname || labelOf(ip)).toLowerCase() })),
    )
}

/** The label of an endpoint that has no name of its own; none ends with a dash. */
function labelOf(ip: string): string {
  return ip.replaceAll(/[.:]/g, '-').replace(/-$/, '-0')
}

function withoutUnderscore(label: string): string {
  return label.replace(/^_/, '')
}

function isWithin(name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`)
}

/** The address that a name of a reverse zone stands for. */
function addressOfReverse(name: string): Ip | undefined {
  const v4 = /^([0-9.]+)\.in-addr\.arpa$/.exec(name)?.[1]
  if (v4 !== undefined) return parseIp(v4.split('.').toReversed().join('.'))
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1]
  if (v6 === undefined) return undefined
  const digits = v6.split('.').toReversed().join('')
  return parseIp(digits.replace(/(.{4})(?=.)/g, '$1:'))
}

function addressRecords(name: string, targets: readonly Target[], type: QuestionType): Answer[] {
  if (type !== 'A' && type !== 'AAAA') return []
  const family = type === 'A' ? 4 : 6
  const hosts = new Set(targets.map(({ host }) => host))
  return [...hosts]
    .filter((host) => parseIp(host)?.family === family)
    .map((data) => ({ type, name, ttl: TTL_SECONDS, data }))
}

function aliasRecord(name: string, target: string): Answer {
  return { type: 'CNAME', name, ttl: TTL_SECONDS, data: target }
}

export function startOfAuthority(zone: string): Answer {
  const data = {
    mname: `ns.dns.${zone}`,
    rname: `hostmaster.${zone}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: TTL_SECONDS,
  }
  return { type: 'SOA', name: zone, ttl: TTL_SECONDS, data }
}
