import { expect, test } from 'bun:test'
import { aPod } from '../../../test/support/pod.ts'
import { sysctlList } from '../../api/pod/sysctls.ts'
import type { PodSpec } from '../../api/schema/generated/types.ts'
import { type FieldType, type ObjectType, objectType } from '../../api/schema/schema.ts'
import { POD_RULES, podFault } from './pod-rules.ts'

const PACKAGE = 'io.k8s.api.core.v1.'
const door = { sysctls: sysctlList('6.1.0', []), hostNetwork: false, hostIpc: false }

function typeIn(type: FieldType): ObjectType | undefined {
  if (type.is === 'object') return type.type
  return type.is === 'list' || type.is === 'map' ? typeIn(type.of) : undefined
}

/** Everything the table says differently from the schema, from `name` downwards. */
function differences(name: string, visited = new Set<string>()): string[] {
  if (visited.has(name)) return []
  visited.add(name)
  const { fields } = objectType(PACKAGE + name)
  const rules = POD_RULES[name] ?? {}
  const stale = Object.keys(rules).filter((field) => !fields.has(field))
  return [
    ...stale.map((field) => `${name}.${field} is in the table and not in the schema`),
    ...[...fields.values()].flatMap((field) => {
      const rule = rules[field.name]
      if (rule === undefined) return [`${name}.${field.name} has no rule`]
      if (typeof rule === 'string' || !('parts' in rule)) return []
      const part = typeIn(field.type)?.name.replace(PACKAGE, '')
      if (part !== rule.parts) return [`${name}.${field.name} is ${part}, not ${rule.parts}`]
      return differences(rule.parts, visited)
    }),
  ]
}

test('every field of a pod has its rule', () => {
  const visited = new Set<string>()
  expect(differences('PodSpec', visited)).toEqual([])
  expect(Object.keys(POD_RULES).filter((name) => !visited.has(name))).toEqual([])
})

const container = (more: object) => ({ containers: [{ name: 'web', ...more }] })
const volume = (more: object) => ({ volumes: [{ name: 'data', ...more }] })
const UP = '../../../etc/shadow'

// One hostile value for each field with a check, by the path that the refusal names.
const HOSTILE: Record<string, object> = {
  hostname: { hostname: '../x' },
  subdomain: { subdomain: 'a/b' },
  hostnameOverride: { hostnameOverride: 'a\nb' },
  'securityContext.runAsUser': { securityContext: { runAsUser: 2 ** 32 } },
  'securityContext.runAsGroup': { securityContext: { runAsGroup: -1 } },
  'securityContext.fsGroup': { securityContext: { fsGroup: 0.5 } },
  'securityContext.supplementalGroups': { securityContext: { supplementalGroups: [1, 2 ** 31] } },
  'securityContext.seccompProfile.localhostProfile': {
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: UP } },
  },
  'securityContext.appArmorProfile.localhostProfile': {
    securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: '/x' } },
  },
  'containers[0].name': { containers: [{ name: '../web' }] },
  'initContainers[0].name': { initContainers: [{ name: '..' }] },
  'ephemeralContainers[0].name': { ephemeralContainers: [{ name: 'a/b' }] },
  'containers[0].ports[0].hostPort': container({ ports: [{ hostPort: 70_000 }] }),
  'containers[0].ports[0].containerPort': container({ ports: [{ containerPort: 1.5 }] }),
  'containers[0].ports[0].protocol': container({ ports: [{ protocol: 'tcp accept' }] }),
  'containers[0].ports[0].hostIP': container({ ports: [{ hostIP: '1.2.3.4 ; flush ruleset' }] }),
  'containers[0].volumeMounts[0].name': container({ volumeMounts: [{ name: '../x' }] }),
  'containers[0].volumeMounts[0].subPath': container({
    volumeMounts: [{ name: 'data', subPath: `a/${UP}` }],
  }),
  'containers[0].lifecycle.stopSignal': container({ lifecycle: { stopSignal: '--all' } }),
  'containers[0].securityContext.runAsUser': container({ securityContext: { runAsUser: -1 } }),
  'containers[0].securityContext.runAsGroup': container({ securityContext: { runAsGroup: 1e12 } }),
  'containers[0].securityContext.seccompProfile.localhostProfile': container({
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'a\0b' } },
  }),
  'volumes[0].name': { volumes: [{ name: '../../x' }] },
  'volumes[0].secret.items[0].path': volume({ secret: { items: [{ key: 'k', path: UP }] } }),
  'volumes[0].secret.items[0].mode': volume({
    secret: { items: [{ key: 'k', path: 'p', mode: 0o4755 }] },
  }),
  'volumes[0].secret.defaultMode': volume({ secret: { defaultMode: 0o2000 } }),
  'volumes[0].configMap.defaultMode': volume({ configMap: { defaultMode: -1 } }),
  'volumes[0].downwardAPI.defaultMode': volume({ downwardAPI: { defaultMode: 512 } }),
  'volumes[0].downwardAPI.items[0].path': volume({ downwardAPI: { items: [{ path: '/x' }] } }),
  'volumes[0].downwardAPI.items[0].mode': volume({
    downwardAPI: { items: [{ path: 'p', mode: 0o1777 }] },
  }),
  'volumes[0].projected.defaultMode': volume({ projected: { defaultMode: 0o7777 } }),
  'volumes[0].projected.sources[0].serviceAccountToken.path': volume({
    projected: { sources: [{ serviceAccountToken: { path: UP } }] },
  }),
}

test('each check refuses by the path of the field', () => {
  for (const [path, spec] of Object.entries(HOSTILE)) {
    const { reason, message } = podFault(aPod(spec as Partial<PodSpec>), door) ?? {}
    expect([path, message?.split(': ')[0], reason]).toEqual([
      ...[path, `spec.${path}`, 'UnexpectedAdmissionError'],
    ])
  }
})

test('no check is without a hostile value', () => {
  const tried = new Set(Object.keys(HOSTILE).map((path) => path.split('.').at(-1)!))
  const checked = Object.values(POD_RULES).flatMap((rules) =>
    Object.entries(rules).flatMap(([field, rule]) =>
      typeof rule === 'object' && 'check' in rule && rule.reason === undefined ? [field] : [],
    ),
  )
  expect([...new Set(checked)].filter((field) => !tried.has(field))).toEqual([])
})

test('names of the pod itself are held to the same', () => {
  for (const field of ['name', 'namespace', 'uid'] as const) {
    const pod = aPod()
    const hostile = { ...pod, metadata: { ...pod.metadata, [field]: '../../root' } }
    expect(podFault(hostile, door)?.message).toStartWith(`metadata.${field}: `)
  }
})

test('an ordinary pod has no fault', () => {
  const spec: Partial<PodSpec> = {
    hostname: '',
    containers: [
      {
        name: 'web',
        ports: [{ containerPort: 80, hostPort: 8080, hostIP: '::1', protocol: 'UDP' }],
        volumeMounts: [{ name: 'data', mountPath: '/data', subPath: '..data/..x' }],
        lifecycle: { stopSignal: 'SIGRTMIN+3' },
        securityContext: { runAsUser: 0 },
      },
    ],
    volumes: [{ name: 'data', secret: { defaultMode: 0o400, items: [{ key: 'k', path: 'a/b' }] } }],
  }
  expect(podFault(aPod(spec), door)).toBeUndefined()
})
