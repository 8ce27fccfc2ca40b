import { applyPodTemplateDefaults } from '../../../pod/defaults.ts'
import type { DaemonSet } from '../../../schema/generated/types.ts'
import { setTemplateGeneration, templateGenerationOf } from './strategy.ts'

export function applyDaemonSetDefaults(set: DaemonSet) {
  const { spec } = set
  // Written as upstream's conversion does, before anybody asks who manages which field.
  setTemplateGeneration(set, templateGenerationOf(set))
  spec.revisionHistoryLimit ??= 10
  spec.updateStrategy ??= {}
  const { updateStrategy } = spec
  updateStrategy.type ||= 'RollingUpdate'
  const rolls = updateStrategy.type === 'RollingUpdate'
  if (rolls) updateStrategy.rollingUpdate ??= {}
  if (updateStrategy.rollingUpdate !== undefined) {
    // Where they mean nothing they are zero.
    updateStrategy.rollingUpdate.maxUnavailable ??= rolls ? 1 : 0
    updateStrategy.rollingUpdate.maxSurge ??= 0
  }
  applyPodTemplateDefaults(spec.template)
}
