// The more important pod goes first, then the one that waits longer.

import { type MakePlugin, priorityOf } from '../framework.ts'

export const prioritySort: MakePlugin = () => ({
  name: 'PrioritySort',
  queueSort: (a, b) => priorityOf(b.pod) - priorityOf(a.pod) || a.queuedAtMs - b.queuedAtMs,
})
