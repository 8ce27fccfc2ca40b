// RuntimeClass: a pod may only ask for a class that there is. None are served yet.

import type { Pod } from '../../api/generated/types.ts'
import { pods } from '../../api/resources/pods.ts'
import { type AdmissionPlugin, refused } from './chain.ts'

export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  admit(attributes) {
    const { request, operation, subresource, object } = attributes
    if (request.row !== pods || operation !== 'CREATE' || subresource !== '') return
    const { runtimeClassName, overhead } = (object as unknown as Pod).spec
    if (runtimeClassName) {
      const name = JSON.stringify(runtimeClassName)
      throw refused(attributes, `pod rejected: RuntimeClass ${name} not found`)
    }
    if (Object.keys(overhead ?? {}).length > 0) {
      const why = 'Pod Overhead set without corresponding RuntimeClass defined Overhead'
      throw refused(attributes, `pod rejected: ${why}`)
    }
  },
}
