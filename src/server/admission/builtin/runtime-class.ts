// RuntimeClass: a pod may only ask for a class that there is. None are served yet.

import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { Pod } from '../../../api/schema/generated/types.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  admit(attributes) {
    if (!isNewPod(attributes)) return
    const { runtimeClassName } = (attributes.object as unknown as Pod).spec
    if (!runtimeClassName) return
    const name = JSON.stringify(runtimeClassName)
    throw refused(attributes, `pod rejected: RuntimeClass ${name} not found`)
  },
  validate(attributes) {
    if (!isNewPod(attributes)) return
    const { overhead } = (attributes.object as unknown as Pod).spec
    if (Object.keys(overhead ?? {}).length > 0) {
      const why = 'Pod Overhead set without corresponding RuntimeClass defined Overhead'
      throw refused(attributes, `pod rejected: ${why}`)
    }
  },
}

function isNewPod({ request, operation, subresource }: Attributes): boolean {
  return request.row === pods && operation === 'CREATE' && subresource === ''
}
