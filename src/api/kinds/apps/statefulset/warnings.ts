import { fractionWarnings, templateWarnings } from '../../../pod/warnings.ts'
import type { StatefulSet } from '../../../schema/generated/types.ts'
import { hasChanged } from '../../../workload/generation.ts'

const ENDLESS_HISTORY =
  'spec.revisionHistoryLimit: a negative value retains all historical revisions; ' +
  'a value >= 0 is recommended'

export function statefulSetWarnings(set: StatefulSet, old: StatefulSet | undefined): string[] {
  const { template, volumeClaimTemplates = [], revisionHistoryLimit = 0 } = set.spec
  const isSame = old !== undefined && !hasChanged(set, old)
  return [
    ...(isSame ? [] : templateWarnings('spec.template', template)),
    ...volumeClaimTemplates.flatMap(({ spec }, index) => {
      // Upstream says it with a capital of changes.
      const at = `spec.volumeClaimTemplates[${index}]${old === undefined ? '' : '.Spec'}.resources`
      const { requests, limits } = spec?.resources ?? {}
      return [
        ...fractionWarnings(`${at}.requests`, requests, ['storage']),
        ...fractionWarnings(`${at}.limits`, limits, ['storage']),
      ]
    }),
    ...(revisionHistoryLimit < 0 ? [ENDLESS_HISTORY] : []),
  ]
}
