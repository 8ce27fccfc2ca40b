// The cluster that the questions are about, as requests to an API server.

type Port = { name?: string; port: number; protocol?: string }
type Endpoint = { ip: string; hostname?: string; ready?: boolean }

const service = (name: string, spec: object) => ({
  path: '/api/v1/namespaces/shop/services',
  body: { metadata: { name }, spec },
})

const slice = (name: string, of: string, ports: Port[], endpoints: Endpoint[]) => ({
  path: '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices',
  body: {
    metadata: { name, labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    ports: ports.map((port) => ({ protocol: 'TCP', ...port })),
    endpoints: endpoints.map(({ ip, hostname, ready = true }) => ({
      addresses: [ip],
      conditions: { ready },
      ...(hostname && { hostname }),
    })),
  },
})

const alias = (name: string, externalName: string) =>
  service(name, { type: 'ExternalName', externalName })

const manyEndpoints = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({ ip: `${prefix}.${i + 1}` }))

const HTTP = { name: 'http', port: 80, protocol: 'TCP' }
const WEB_PORTS = [
  HTTP,
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
]

export const WORLD: { path: string; body: object }[] = [
  ...['shop', 'empty'].map((name) => ({
    path: '/api/v1/namespaces',
    body: { metadata: { name } },
  })),
  service('web', { clusterIP: '10.43.0.50', ports: WEB_PORTS }),
  slice('web-1', 'web', [{ name: 'http', port: 8080 }], manyEndpoints('10.42.5', 2)),
  service('nobody', { clusterIP: '10.43.0.51', ports: [{ port: 80 }] }),
  service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }),
  slice(
    'db-1',
    'db',
    [{ name: 'sql', port: 5432 }],
    [
      { ip: '10.42.0.7', hostname: 'db-0' },
      { ip: '10.42.0.8' },
      { ip: '10.42.0.9', hostname: 'late', ready: false },
    ],
  ),
  slice('db-2', 'db', [{ name: 'admin', port: 8081 }], [{ ip: '10.42.0.7', hostname: 'db-0' }]),
  service('none', { clusterIP: 'None', ports: [{ port: 80 }] }),
  service('portless', { clusterIP: 'None' }),
  slice('portless-1', 'portless', [], [{ ip: '10.42.0.20', hostname: 'one' }]),
  service('many', { clusterIP: 'None', ports: [{ name: 'p', port: 1 }] }),
  slice('many-1', 'many', [{ name: 'p', port: 1 }], manyEndpoints('10.42.7', 100)),
  alias('out', 'example.org'),
  alias('dead', 'nowhere.example.org'),
  alias('inside', 'web.shop.svc.cluster.local'),
  alias('chain', 'inside.shop.svc.cluster.local'),
  alias('chain-out', 'out.shop.svc.cluster.local'),
  alias('missing', 'gone.shop.svc.cluster.local'),
  alias('self', 'self.shop.svc.cluster.local'),
  alias('ping', 'pong.shop.svc.cluster.local'),
  alias('pong', 'ping.shop.svc.cluster.local'),
  alias('address', '192.0.2.9'),
  alias('headless', 'db.shop.svc.cluster.local'),
]

/** What the resolver outside knows. */
export const OUTSIDE: Record<string, string> = { 'example.org': '192.0.2.7' }
