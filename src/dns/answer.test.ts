import { describe, expect, test } from 'bun:test'
import type { Answer } from 'dns-packet'
import type { EndpointSlice, Service } from '../api/schema/generated/types.ts'
import { answer, type DnsView } from './answer.ts'

const web: Service = {
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    clusterIP: '10.43.0.5',
    clusterIPs: ['10.43.0.5'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  },
}
const db: Service = {
  metadata: { name: 'db', namespace: 'shop' },
  spec: { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] },
}
const out: Service = {
  metadata: { name: 'out', namespace: 'shop' },
  spec: { type: 'ExternalName', externalName: 'example.org' },
}
const dbSlice: EndpointSlice = {
  metadata: { name: 'db-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  endpoints: [
    { addresses: ['10.42.0.7'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.42.0.8'], conditions: { ready: true } },
    { addresses: ['10.42.0.9'], conditions: { ready: false } },
  ],
}
const all = [web, db, out]

const view: DnsView = {
  isComplete: true,
  service: (namespace, name) =>
    all.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  slices: (_namespace, name) => (name === 'db' ? [dbSlice] : []),
  hasNamespace: (name) => ['shop', 'empty'].includes(name),
  serviceByIp: (ip) => all.find(({ spec }) => spec?.clusterIP === ip),
  slicesByIp: (ip) => (ip === '10.42.0.7' ? [dbSlice] : []),
}

function ask(name: string, type: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'TXT' = 'A') {
  return answer({ name, type }, { domain: 'cluster.local', address: '10.43.0.10' }, view)
}

function dataOf(name: string, type: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'TXT' = 'A') {
  const found = ask(name, type)
  if (found.kind !== 'records') return found.kind
  return found.answers.map((record: Answer) => ('data' in record ? record.data : undefined))
}

const rcode = (name: string) => {
  const found = ask(name)
  return found.kind === 'records' ? found.rcode : found.kind
}

describe('answer', () => {
  test('gives the cluster address of a Service, whatever the case of the letters', () => {
    expect(dataOf('web.shop.svc.cluster.local')).toEqual(['10.43.0.5'])
    expect(dataOf('WEB.Shop.svc.Cluster.Local')).toEqual(['10.43.0.5'])
  })

  test('knows a name without having an address of the family asked for', () => {
    expect(ask('web.shop.svc.cluster.local', 'AAAA')).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
    })
  })

  test('gives the ready addresses of a headless Service, and each by its host name', () => {
    expect(dataOf('db.shop.svc.cluster.local')).toEqual(['10.42.0.7', '10.42.0.8'])
    expect(dataOf('db-0.db.shop.svc.cluster.local')).toEqual(['10.42.0.7'])
    expect(dataOf('10-42-0-8.db.shop.svc.cluster.local')).toEqual(['10.42.0.8'])
    expect(rcode('nobody.db.shop.svc.cluster.local')).toBe('NXDOMAIN')
  })

  test('gives ports by name and protocol', () => {
    expect(dataOf('_http._tcp.web.shop.svc.cluster.local', 'SRV')).toEqual([
      { priority: 0, weight: 100, port: 80, target: 'web.shop.svc.cluster.local' },
    ])
    expect(dataOf('_sql._tcp.db.shop.svc.cluster.local', 'SRV')).toHaveLength(2)
    expect(rcode('_http._udp.web.shop.svc.cluster.local')).toBe('NXDOMAIN')
  })

  test('follows an external name', () => {
    expect(ask('out.shop.svc.cluster.local')).toMatchObject({
      kind: 'alias',
      target: 'example.org',
    })
  })

  test('reads addresses out of pod names', () => {
    expect(dataOf('10-42-0-7.shop.pod.cluster.local')).toEqual(['10.42.0.7'])
    expect(rcode('10-42-0-7.nowhere.pod.cluster.local')).toBe('NXDOMAIN')
    expect(rcode('10-42-0.shop.pod.cluster.local')).toBe('NXDOMAIN')
  })

  test('names addresses that it knows and leaves others to the resolvers', () => {
    expect(dataOf('5.0.43.10.in-addr.arpa', 'PTR')).toEqual(['web.shop.svc.cluster.local'])
    expect(dataOf('7.0.42.10.in-addr.arpa', 'PTR')).toEqual(['db-0.db.shop.svc.cluster.local'])
    expect(dataOf('1.1.1.1.in-addr.arpa', 'PTR')).toBe('foreign')
  })

  test('tells what is missing from what is elsewhere', () => {
    expect(rcode('gone.shop.svc.cluster.local')).toBe('NXDOMAIN')
    expect(rcode('shop.svc.cluster.local')).toBe('NOERROR')
    expect(rcode('nowhere.svc.cluster.local')).toBe('NXDOMAIN')
    expect(rcode('empty.svc.cluster.local')).toBe('NOERROR')
    expect(rcode('empty.pod.cluster.local')).toBe('NOERROR')
    expect(rcode('10-42-0-7.empty.pod.cluster.local')).toBe('NOERROR')
    expect(rcode('example.org')).toBe('foreign')
    expect(rcode('notcluster.local')).toBe('foreign')
  })
})
