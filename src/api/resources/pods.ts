import type { Pod } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { podColumns, podRowConditions } from './pod/columns.ts'
import { applyPodDefaults } from './pod/defaults.ts'
import { deletionGraceSeconds, preparePod } from './pod/strategy.ts'

const stream = { verbs: ['create', 'get'], namespaced: true } as const

export const pods = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  type: 'io.k8s.api.core.v1.Pod',
  shortNames: ['po'],
  categories: ['all'],
  defaults: applyPodDefaults,
  prepareCreate: preparePod,
  status: { writes: ['status'] },
  parts: {
    ephemeralcontainers: { writes: ['spec'] },
    resize: { writes: ['spec'] },
  },
  actions: [
    { name: 'attach', kind: 'PodAttachOptions', ...stream },
    { name: 'binding', kind: 'Binding', verbs: ['create'], namespaced: true },
    {
      name: 'eviction',
      kind: 'Eviction',
      group: 'policy',
      version: 'v1',
      verbs: ['create'],
      namespaced: true,
    },
    { name: 'exec', kind: 'PodExecOptions', ...stream },
    { name: 'log', kind: 'Pod', verbs: ['get'], namespaced: true },
    { name: 'portforward', kind: 'PodPortForwardOptions', ...stream },
    {
      name: 'proxy',
      kind: 'PodProxyOptions',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      namespaced: true,
    },
  ],
  selectable: {
    'spec.nodeName': ({ spec }) => spec.nodeName ?? '',
    'spec.host': ({ spec }) => spec.nodeName ?? '',
    'spec.restartPolicy': ({ spec }) => spec.restartPolicy ?? '',
    'spec.schedulerName': ({ spec }) => spec.schedulerName ?? '',
    'spec.serviceAccountName': ({ spec }) => spec.serviceAccountName ?? '',
    'spec.hostNetwork': ({ spec }) => `${spec.hostNetwork ?? false}`,
    'status.phase': ({ status }) => status?.phase ?? '',
    'status.podIP': ({ status }) => status?.podIPs?.[0]?.ip ?? '',
    'status.podIPs': ({ status }) => status?.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
  },
  answersDeleted: true,
  columns: podColumns,
  rowConditions: podRowConditions,
  graceSeconds: deletionGraceSeconds,
})
