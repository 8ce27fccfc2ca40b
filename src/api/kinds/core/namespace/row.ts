import { isDnsLabelName } from '../../../names.ts'
import { defineResource } from '../../../resource.ts'
import type { Namespace } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { checkQualifiedName } from '../../../validation/values.ts'

const NAME_LABEL = 'kubernetes.io/metadata.name'
const FINALIZER = 'kubernetes'

export const namespaces = defineResource<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  type: 'io.k8s.api.core.v1.Namespace',
  metadataJudges: ['whole', 'change'],
  scope: 'Cluster',
  shortNames: ['ns'],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  answersDeleted: true,
  nameRule: isDnsLabelName,
  generationOf: false,
  defaults: labelWithName,
  prepareCreate: (namespace) => {
    labelWithName(namespace)
    const finalizers = namespace.spec?.finalizers ?? []
    if (!finalizers.includes(FINALIZER)) finalizers.push(FINALIZER)
    namespace.spec = { ...namespace.spec, finalizers }
    namespace.status = { phase: 'Active' }
  },
  prepareUpdate: (namespace, old) => {
    namespace.spec = old.spec
  },
  rules: [
    ruleOf((faults, { spec }) => {
      for (const name of spec?.finalizers ?? []) checkFinalizer(faults, 'spec.finalizers', name)
    }),
  ],
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkPhase)] },
  parts: {
    finalize: {
      writes: ['metadata', 'spec'],
      resets: ['status'],
      verbs: ['update'],
      rules: [
        ruleOf((faults, { spec }) => {
          for (const [index, name] of (spec?.finalizers ?? []).entries()) {
            checkFinalizer(faults, `spec.finalizers[${index}]`, name)
          }
        }),
      ],
    },
  },
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

const STANDARD_FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion']

function checkFinalizer(faults: FieldErrors, at: string, name: string) {
  checkQualifiedName(faults, at, name)
  if (name.includes('/') || STANDARD_FINALIZERS.includes(name)) return
  const detail = 'name is neither a standard finalizer name nor is it fully qualified'
  faults.invalid(at, name, detail)
}

function checkPhase(faults: FieldErrors, { metadata, status }: Namespace) {
  const phase = status?.phase ?? ''
  const wanted = metadata.deletionTimestamp === undefined ? 'Active' : 'Terminating'
  if (phase === wanted) return
  const when = wanted === 'Active' ? 'is empty' : 'is not empty'
  faults.invalid('status.Phase', phase, `may only be '${wanted}' if \`deletionTimestamp\` ${when}`)
}
