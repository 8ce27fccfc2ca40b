import type { Namespace } from '../generated/types.ts'
import { isDnsLabelName } from '../names.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

const NAME_LABEL = 'kubernetes.io/metadata.name'
const FINALIZER = 'kubernetes'

export const namespaces = defineResource<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  type: 'io.k8s.api.core.v1.Namespace',
  scope: 'Cluster',
  shortNames: ['ns'],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  answersDeleted: true,
  nameRule: isDnsLabelName,
  generationOf: false,
  defaults: labelWithName,
  prepareCreate: (namespace) => {
    const finalizers = namespace.spec?.finalizers ?? []
    if (!finalizers.includes(FINALIZER)) finalizers.push(FINALIZER)
    namespace.spec = { ...namespace.spec, finalizers }
    namespace.status = { phase: 'Active' }
  },
  prepareUpdate: (namespace, old) => {
    namespace.spec = old.spec
  },
  status: { writes: ['status'] },
  parts: { finalize: { writes: ['spec'], verbs: ['update'] } },
  selectable: { 'status.phase': (namespace) => namespace.status?.phase ?? '' },
  columns: [
    {
      name: 'Status',
      type: 'string',
      priority: 0,
      description: 'Active, or Terminating while it is being emptied.',
      cell: (namespace) => namespace.status?.phase ?? '',
    },
    ageColumn,
  ],
})

/** Nothing is set for a name that is still to be generated. */
function labelWithName(namespace: Namespace) {
  const { name, labels } = namespace.metadata
  if (name) namespace.metadata.labels = { ...labels, [NAME_LABEL]: name }
}
