// A pod stays for five minutes on a node that is gone, unless it says otherwise.
// (upstream plugin DefaultTolerationSeconds)

import type { Pod, Toleration } from '../../../api/schema/generated/types.ts'
import type { AdmissionPlugin } from '../chain.ts'

const TOLERATION_SECONDS = 300
const TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

export const defaultTolerations: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  admit({ request: { row }, operation, subresource, object }) {
    if (row.group !== '' || row.plural !== 'pods' || subresource !== '') return
    if (operation !== 'CREATE' && operation !== 'UPDATE') return
    const spec = (object as unknown as Pod).spec!
    const own = spec.tolerations ?? []
    const missing = TAINTS.filter((key) => !own.some((toleration) => isAbout(toleration, key)))
    if (missing.length > 0) spec.tolerations = [...own, ...missing.map(tolerationFor)]
  },
}

function isAbout({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === 'NoExecute')
}

function tolerationFor(key: string): Toleration {
  return { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATION_SECONDS }
}
