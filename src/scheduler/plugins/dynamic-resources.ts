// Resource claims are not served yet, so that no pod has any and there is never one to give back:
// what upstream's plug-in says of a pod without claims, in its place before preemption.

import type { MakePlugin } from '../framework.ts'

export const dynamicResources: MakePlugin = () => ({
  name: 'DynamicResources',
  postFilter: () => ({ ok: false, message: 'no new claims to deallocate' }),
})
