import { applyPodDefaults } from '../../../pod/defaults.ts'
import { deletionGraceSeconds, dropDisabledFields, preparePod } from '../../../pod/strategy.ts'
import { podWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { Pod } from '../../../schema/generated/types.ts'
import { ipWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { podColumns, podRowConditions } from './columns.ts'
import { checkEphemeral, mergeEphemeral, mergeResize, mergeStatus } from './parts.ts'
import { checkResize } from './resize.ts'
import { checkStatus } from './status-validation.ts'
import { checkPod } from './validation.ts'

const stream = { verbs: ['create', 'get'], namespaced: true } as const

export const pods = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  type: 'io.k8s.api.core.v1.Pod',
  metadataJudges: ['change', 'whole'],
  shortNames: ['po'],
  categories: ['all'],
  defaults: applyPodDefaults,
  createsWithStatus: true,
  prepareCreate: preparePod,
  prepareUpdate: (pod) => dropDisabledFields(pod.spec),
  rules: [ruleOf(checkPod)],
  warnings: (pod, old) => (old === undefined ? podWarnings(pod) : []),
  status: {
    writes: ['metadata', 'status'],
    resets: ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
    merge: mergeStatus,
    rules: [ruleOf(checkStatus)],
    warnings: ({ status }) => [
      ...(status?.podIPs ?? []).flatMap(({ ip }, index) =>
        ipWarnings(`status.podIPs[${index}].ip`, ip ?? ''),
      ),
      ...(status?.hostIPs ?? []).flatMap(({ ip }, index) =>
        ipWarnings(`status.hostIPs[${index}].ip`, ip ?? ''),
      ),
    ],
  },
  parts: {
    ephemeralcontainers: {
      writes: ['spec'],
      merge: mergeEphemeral,
      rules: [ruleOf(checkEphemeral)],
    },
    resize: { writes: ['spec'], merge: mergeResize, rules: [ruleOf(checkResize)] },
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
    // Known to upstream, which fills it with nothing.
    'status.podIPs': () => '',
    'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
  },
  answersDeleted: true,
  columns: podColumns,
  rowConditions: podRowConditions,
  graceSeconds: deletionGraceSeconds,
})
