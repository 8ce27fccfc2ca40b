// Holds a pod back until somebody has taken its last gate away (KEP-3521).

import type { MakePlugin } from '../framework.ts'

export const schedulingGates: MakePlugin = () => ({
  name: 'SchedulingGates',
  preEnqueue({ spec }) {
    const gates = (spec?.schedulingGates ?? []).map(({ name }) => name)
    if (gates.length === 0) return undefined
    return `waiting for scheduling gates: [${gates.join(' ')}]`
  },
})
