// What is asked: every type of every kind of name, and what there is to say around a question.

import { encode, type OptAnswer } from 'dns-packet'

export type Asked = {
  /** Says the question in one line; the recorded answers are found by it. */
  readonly title: string
  readonly over: 'udp' | 'tcp'
  readonly bytes: Uint8Array
}

const TYPES = ['A', 'AAAA', 'SRV', 'TXT', 'CNAME', 'MX', 'NS', 'SOA', 'PTR', 'CAA'] as const

const IN_SHOP = [
  ...['web', 'nobody', 'db', 'none', 'portless', 'out', 'dead', 'inside', 'chain'],
  ...['chain-out', 'missing', 'self', 'ping', 'address', 'headless', 'gone'],
  ...['_http._tcp.web', '_HTTP._TCP.web', '_dns._udp.web', '_http._udp.web', '_gone._tcp.web'],
  ...['http.tcp.web', '_tcp.web', '_http.web', 'x._http._tcp.web', 'a.b.c.web'],
  ...['10-42-5-1.web', '10-42-5-9.web', '_tcp.10-42-5-1.web'],
  ...['_sql._tcp.db', '_admin._tcp.db', '_sql._udp.db', 'db-0.db', 'DB-0.db', '10-42-0-8.db'],
  ...['late.db', '10-42-0-7.db', 'x.db-0.db', 'one.portless', '_p._tcp.portless'],
  ...['x.out', '_http._tcp.out', '_._.web', '_http._.web'],
].map((name) => `${name}.shop.svc.cluster.local`)

const NAMES = [
  ...IN_SHOP,
  ...['cluster.local', 'Cluster.Local', 'svc.cluster.local', 'pod.cluster.local'],
  ...['other.cluster.local', 'x.other.cluster.local', 'dns-version.cluster.local'],
  ...['x.dns-version.cluster.local', 'ns.dns.cluster.local', 'dns.cluster.local'],
  ...['shop.svc.cluster.local', 'empty.svc.cluster.local', 'nowhere.svc.cluster.local'],
  ...['shop.pod.cluster.local', 'empty.pod.cluster.local', 'nowhere.pod.cluster.local'],
  ...['a.empty.svc.cluster.local', 'a.nowhere.svc.cluster.local', '*.shop.svc.cluster.local'],
  ...['web.*.svc.cluster.local', 'any.any.svc.cluster.local', 'WEB.Shop.SVC.cluster.LOCAL'],
  ...['10-42-0-7.shop.pod.cluster.local', '10-42-0-7.empty.pod.cluster.local'],
  ...['10-42-0-7.nowhere.pod.cluster.local', '10-42-0.shop.pod.cluster.local'],
  ...['10-42-0-777.shop.pod.cluster.local', 'fd00--7.shop.pod.cluster.local'],
  ...['x.10-42-0-7.shop.pod.cluster.local', 'x.y.10-42-0-7.shop.pod.cluster.local'],
  ...['x.y.z.10-42-0-7.shop.pod.cluster.local', '1-2-3-4-5.shop.pod.cluster.local'],
  ...['10-042-0-7.shop.pod.cluster.local'],
  ...['50.0.43.10.in-addr.arpa', '1.5.42.10.in-addr.arpa', '7.0.42.10.in-addr.arpa'],
  ...['8.0.42.10.in-addr.arpa', '9.0.42.10.in-addr.arpa', '20.0.42.10.in-addr.arpa'],
  ...['1.1.1.1.in-addr.arpa', '43.10.in-addr.arpa', 'in-addr.arpa', 'x.in-addr.arpa', 'ip6.arpa'],
  ...['1.0.ip6.arpa', `${'0.'.repeat(31)}1.ip6.arpa`],
  ...['example.org', 'nowhere.example.org', 'notcluster.local', 'local'],
]

type More = {
  over?: 'udp' | 'tcp'
  flags?: number
  class?: 'IN' | 'CH'
  edns?: { size: number; version?: number; isDnssecOk?: boolean; options?: boolean }
}

const RECURSION_DESIRED = 256
const CHECKING_DISABLED = 16

function ask(name: string, type: string, title: string, more: More = {}): Asked {
  const { over = 'udp', flags = RECURSION_DESIRED, edns } = more
  const opt = edns && {
    type: 'OPT', name: '.', udpPayloadSize: edns.size, extendedRcode: 0,
    ednsVersion: edns.version ?? 0,
    flags: edns.isDnssecOk ? 32_768 : 0,
    options: edns.options ? [{ code: 10, data: Buffer.from('12345678') }] : [],
  }
  const question = { name, type, class: more.class ?? 'IN' }
  const bytes = encode({
    type: 'query', id: 4711, flags, questions: [question as { name: string; type: 'A' }],
    additionals: opt ? [opt as unknown as OptAnswer] : [],
  })
  return { title: `${name} ${type}${title}`, over, bytes }
}

function raw(title: string, hex: string): Asked {
  return { title, over: 'udp', bytes: new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex')) }
}

const WEB = 'web.shop.svc.cluster.local'
const DB = 'db.shop.svc.cluster.local'
const MANY = 'many.shop.svc.cluster.local'
const SIZES = [100, 512, 513, 1232, 1500, 4096, 65_535]
/** The question for the address of `a.`. */
const A_DOT = '0161 00 0001 0001'

export const QUESTIONS: Asked[] = [
  ...NAMES.flatMap((name) => TYPES.map((type) => ask(name, type, ''))),
  ...['AXFR', 'IXFR', 'ANY', 'DS', 'OPT'].flatMap((type) =>
    [WEB, 'cluster.local', 'gone.shop.svc.cluster.local'].map((name) => ask(name, type, '')),
  ),
  ...['A', 'SRV'].flatMap((type) => [
    ask(MANY, type, ''),
    ask(MANY, type, ' over TCP', { over: 'tcp' }),
    ...SIZES.map((size) => ask(MANY, type, ` in ${size} bytes`, { edns: { size } })),
  ]),
  ask(MANY, 'A', ' over TCP with EDNS', { over: 'tcp', edns: { size: 512 } }),
  ...[WEB, DB, 'gone.shop.svc.cluster.local', 'example.org'].flatMap((name) => [
    ask(name, 'A', ' with EDNS 1', { edns: { size: 1232, version: 1 } }),
    ask(name, 'A', ' with EDNS 255', { edns: { size: 1232, version: 255 } }),
    ask(name, 'A', ' with DNSSEC', { edns: { size: 1232, isDnssecOk: true } }),
    ask(name, 'A', ' with a cookie', { edns: { size: 1232, options: true } }),
    ask(name, 'A', ' in class CH', { class: 'CH' }),
    ask(name, 'A', ' in class CH with EDNS', { class: 'CH', edns: { size: 1232 } }),
    ask(name, 'A', ' without recursion', { flags: 0 }),
    ask(name, 'A', ' checking disabled', { flags: RECURSION_DESIRED | CHECKING_DISABLED }),
    ask(name, 'A', ' over TCP', { over: 'tcp' }),
  ]),
  ask(WEB, 'A', ' as a status request', { flags: 2 << 11 }),
  ask(WEB, 'A', ' as an update', { flags: 5 << 11 }),
  ask(WEB, 'A', ' as a notification', { flags: 4 << 11 }),
  raw('no question', '1267 0100 0000 0000 0000 0000'),
  raw('two questions', `1267 0100 0002 0000 0000 0000 ${A_DOT} ${A_DOT}`),
  raw('more answers than a query has', `1267 0100 0001 0002 0000 0000 ${A_DOT}`),
  raw('more additional records than a query has', `1267 0100 0001 0000 0000 0003 ${A_DOT}`),
  raw('a question that ends too early', '1267 0100 0001 0000 0000 0000 0161 00 0001'),
  raw('a label that ends too early', '1267 0100 0001 0000 0000 0000 3f61'),
  raw('a name that points at itself', '1267 0100 0001 0000 0000 0000 c00c 0001 0001'),
  raw('a record that is announced and missing', `1267 0100 0001 0000 0000 0001 ${A_DOT}`),
]
