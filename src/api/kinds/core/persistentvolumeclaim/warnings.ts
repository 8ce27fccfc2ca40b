import { own } from '../../../../lib/own.ts'
import { parseQuantity, scaledValue } from '../../../quantity.ts'
import type { PersistentVolumeClaim } from '../../../schema/generated/types.ts'
import { CLASS_ANNOTATION, OLD_CLASS } from '../../../volume/class.ts'

export function claimWarnings({ metadata, spec }: PersistentVolumeClaim): string[] {
  const isOld = own(metadata.annotations, CLASS_ANNOTATION) !== undefined
  const amounts = (['requests', 'limits'] as const).flatMap((what) => {
    const text = own(spec.resources?.[what], 'storage')
    if (text === undefined || scaledValue(parseQuantity(text), -3) % 1000n === 0n) return []
    const value = `fractional byte value ${JSON.stringify(text)} is invalid, must be an integer`
    return [`spec.resources.${what}[storage]: ${value}`]
  })
  return [...(isOld ? [`metadata.annotations[${CLASS_ANNOTATION}]: ${OLD_CLASS}`] : []), ...amounts]
}
