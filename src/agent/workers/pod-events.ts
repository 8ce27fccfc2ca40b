// Events about one pod and its containers, in the kubelet's words.

import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import type { Recorder } from '../../kit/events.ts'
import { fieldPathOf } from '../pod-text.ts'

export interface PodEvents {
  /** About the container of that name, or about the pod as a whole. */
  normal(reason: string, message: string, container?: string): void
  warning(reason: string, message: string, container?: string): void
}

export function podEvents(recorder: Recorder, pod: Pod): PodEvents {
  const about = (container: string | undefined) => {
    const fieldPath = container === undefined ? undefined : fieldPathOf(pod, container)
    return { row: pods, object: pod, ...(fieldPath === undefined ? {} : { fieldPath }) }
  }
  return {
    normal: (reason, message, container) => recorder.normal(about(container), reason, message),
    warning: (reason, message, container) => recorder.warning(about(container), reason, message),
  }
}
