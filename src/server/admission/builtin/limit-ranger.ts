// Containers get the defaults of their namespace, and pods and claims stay within its limits.
// (upstream plugin LimitRanger)

import type {
  Container,
  LimitRange,
  PersistentVolumeClaim,
  Pod,
} from '../../../api/schema/generated/types.ts'
import { own } from '../../../lib/own.ts'
import type { NamespacedCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'
import { claimFaults, podFaults } from './limit-rules.ts'

const ANNOTATION = 'kubernetes.io/limit-ranger'

export function limitRanger(ranges: NamespacedCache<LimitRange>): AdmissionPlugin {
  return {
    name: 'LimitRanger',
    handles: ['CREATE', 'UPDATE'],
    admit(attributes) {
      if (limitedKind(attributes) !== 'pods') return
      for (const range of rangesOf(ranges, attributes)) {
        applyDefaults(attributes.object as unknown as Pod, range)
      }
    },
    validate(attributes) {
      const kind = limitedKind(attributes)
      if (kind === undefined) return
      for (const range of rangesOf(ranges, attributes)) {
        const { object } = attributes
        const faults =
          kind === 'pods'
            ? podFaults(range, object as unknown as Pod)
            : claimFaults(range, object as unknown as PersistentVolumeClaim)
        if (faults.length > 0) throw refused(attributes, aggregate(faults))
      }
    },
  }
}

type LimitedKind = 'pods' | 'persistentvolumeclaims'

/** Pods when they are new or resized, claims always; neither once it is going away. */
function limitedKind(attributes: Attributes): LimitedKind | undefined {
  const { request, operation, subresource, old } = attributes
  const { group, plural } = request.row
  if (group !== '' || old?.metadata.deletionTimestamp !== undefined) return undefined
  const isResize = subresource === 'resize' && operation === 'UPDATE'
  if (plural === 'pods') {
    return isResize || (subresource === '' && operation === 'CREATE') ? plural : undefined
  }
  return plural === 'persistentvolumeclaims' && subresource === '' ? plural : undefined
}

function rangesOf(ranges: NamespacedCache<LimitRange>, { namespace }: Attributes): LimitRange[] {
  return ranges.inNamespace(namespace)
}

type Defaults = { limits: Map<string, string>; requests: Map<string, string> }

function applyDefaults({ metadata, spec }: Pod, range: LimitRange) {
  const items = (range.spec?.limits ?? []).filter(({ type }) => type === 'Container')
  const defaults: Defaults = {
    limits: new Map(items.flatMap((item) => Object.entries(item.default ?? {}))),
    requests: new Map(items.flatMap((item) => Object.entries(item.defaultRequest ?? {}))),
  }
  const done = [
    ...(spec.containers ?? []).flatMap((each) => defaulted(each, 'container', defaults)),
    ...(spec.initContainers ?? []).flatMap((each) => defaulted(each, 'init container', defaults)),
  ]
  if (done.length === 0) return
  metadata.annotations ??= {}
  metadata.annotations[ANNOTATION] = `LimitRanger plugin set: ${done.join('; ')}`
}

/** Changes the container; says what was set. */
function defaulted(container: Container, role: string, defaults: Defaults): string[] {
  return (['requests', 'limits'] as const).flatMap((field) => {
    const list = container.resources?.[field]
    const missing = [...defaults[field]].filter(([name]) => own(list, name) === undefined)
    if (missing.length === 0) return []
    container.resources = {
      ...container.resources,
      [field]: { ...list, ...Object.fromEntries(missing) },
    }
    const names = missing.map(([name]) => name).toSorted()
    const what = field === 'requests' ? 'request' : 'limit'
    return [`${names.join(', ')} ${what} for ${role} ${container.name}`]
  })
}

/** As Go joins errors: each once, in brackets when there are several. */
function aggregate(faults: readonly string[]): string {
  const distinct = [...new Set(faults)]
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`
}
