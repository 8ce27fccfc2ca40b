// Gives the pod its node: the write that all the others are made for.

import { pods } from '../../api/kinds/core/pod/row.ts'
import type { MakePlugin } from '../framework.ts'

export const defaultBinder: MakePlugin = ({ client }) => ({
  name: 'DefaultBinder',
  async bind({ metadata: { name, namespace, uid } }, nodeName, signal) {
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { kind: 'Node', name: nodeName },
    }
    const where = { namespace, name: name!, subresource: 'binding' }
    await client.post(pods, where, binding, signal)
    return true
  },
})
