import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import { dropDisabledFields } from '../../../pod/strategy.ts'
import { podNameWarnings, templateWarnings } from '../../../pod/warnings.ts'
import { defineResource } from '../../../resource.ts'
import type { Deployment } from '../../../schema/generated/types.ts'
import { ageColumn, selectorText } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { templateColumns, textColumn } from '../../../workload/columns.ts'
import { hasChanged } from '../../../workload/generation.ts'
import { checkDeployment, checkDeploymentStatus } from './validation.ts'

export const deployments = defineResource<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  type: 'io.k8s.api.apps.v1.Deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  // Annotations count too, because ReplicaSets get a copy of them.
  generationOf: ({ spec, metadata }) => ({ spec, annotations: metadata.annotations }),
  defaults: applyDefaults,
  prepareCreate: ({ spec }) => dropDisabledFields(spec.template?.spec),
  prepareUpdate: ({ spec }) => dropDisabledFields(spec.template?.spec),
  rules: [ruleOf(checkDeployment)],
  warnings: (deployment, old) => {
    const { metadata, spec } = deployment
    if (old && !hasChanged(deployment, old)) return []
    const name = old === undefined ? podNameWarnings(metadata.name) : []
    return [...name, ...templateWarnings('spec.template', spec.template)]
  },
  status: {
    writes: ['metadata', 'status'],
    rules: [ruleOf(checkDeploymentStatus)],
    resets: ['spec', 'metadata.labels'],
    merge: (sent, stored) => ({ ...keepLabels(sent, stored), spec: stored.spec }),
  },
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: 'spec.selector',
  },
  columns: [
    textColumn('Ready', 0, 'Pods that are ready, of those asked for.', ({ spec, status }) => {
      return `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`
    }),
    textColumn('Up-to-date', 0, 'Pods made from the newest template.', ({ status }) => {
      return status?.updatedReplicas ?? 0
    }),
    textColumn('Available', 0, 'Pods that have been ready long enough.', ({ status }) => {
      return status?.availableReplicas ?? 0
    }),
    ageColumn,
    ...templateColumns<Deployment>(
      ({ spec }) => spec.template?.spec?.containers,
      ({ spec }) => selectorText(spec.selector, ''),
    ),
  ],
})

/** The status path leaves labels alone: old controllers sent stale ones. */
function keepLabels(sent: Deployment, stored: Deployment): Deployment {
  const { labels: _sent, ...metadata } = sent.metadata
  const { labels } = stored.metadata
  return { ...sent, metadata: labels === undefined ? metadata : { ...metadata, labels } }
}

function applyDefaults({ spec }: Deployment) {
  spec.replicas ??= 1
  spec.revisionHistoryLimit ??= 10
  spec.progressDeadlineSeconds ??= 600
  spec.strategy ??= {}
  spec.strategy.type ||= 'RollingUpdate'
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {}
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%'
    spec.strategy.rollingUpdate.maxSurge ??= '25%'
  }
  applyPodTemplateDefaults(spec.template)
}
