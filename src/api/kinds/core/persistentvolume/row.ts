import { defineResource } from '../../../resource.ts'
import type { PersistentVolume } from '../../../schema/generated/types.ts'
import { formatTime } from '../../../time.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { volumeColumns } from './columns.ts'
import { datePhase } from './strategy.ts'
import { checkVolume } from './validation.ts'
import { volumeWarnings } from './warnings.ts'

export const persistentVolumes = defineResource<PersistentVolume>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  type: 'io.k8s.api.core.v1.PersistentVolume',
  scope: 'Cluster',
  shortNames: ['pv'],
  generationOf: false,
  metadataJudges: ['whole', 'whole'],
  defaults: (volume) => {
    const { spec } = volume
    spec.persistentVolumeReclaimPolicy ||= 'Retain'
    spec.volumeMode ??= 'Filesystem'
    if (spec.hostPath) spec.hostPath.type ??= ''
    volume.status = { ...volume.status, phase: volume.status?.phase || 'Pending' }
  },
  prepareCreate: (volume, { nowMs }) => {
    volume.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) }
  },
  rules: [ruleOf(checkVolume)],
  warnings: volumeWarnings,
  status: { writes: ['metadata', 'status'], merge: datePhase, rules: [] },
  answersDeleted: true,
  columns: volumeColumns,
})
