// Fields of a pod as text: for variables and for files of downwardAPI volumes. Pure.

import { own } from '../../lib/own.ts'
import { milliUnits, parseQuantity, wholeUnits } from '../quantity.ts'
import type { Container, Pod, ResourceFieldSelector } from '../schema/generated/types.ts'
import { ContainerError } from './container-error.ts'

export type FieldView = {
  readonly pod: Pod
  readonly podIps: readonly string[]
  readonly hostIps: readonly string[]
  /** What a container without a limit may use. */
  readonly allocatable: Readonly<Record<string, string>>
}

/** Throws ContainerError for a field that there is not. */
export function fieldValue(view: FieldView, fieldPath: string): string {
  const { metadata, spec } = view.pod
  const subscripted = /^(.+?)\['(.*)'\]$/s.exec(fieldPath)
  if (subscripted !== null) {
    const [, path, key] = subscripted
    if (path === 'metadata.annotations') return own(metadata.annotations, key!) ?? ''
    if (path === 'metadata.labels') return own(metadata.labels, key!) ?? ''
    throw wrong(`fieldPath "${fieldPath}" does not support subscript`)
  }
  switch (fieldPath) {
    case 'metadata.annotations':
      return formatMap(metadata.annotations ?? {})
    case 'metadata.labels':
      return formatMap(metadata.labels ?? {})
    case 'metadata.name':
      return metadata.name ?? ''
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid ?? ''
    case 'spec.nodeName':
      return spec.nodeName ?? ''
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? ''
    case 'status.hostIP':
      return view.hostIps[0] ?? ''
    case 'status.hostIPs':
      return view.hostIps.join(',')
    case 'status.podIP':
      return view.podIps[0] ?? ''
    case 'status.podIPs':
      return view.podIps.join(',')
    default:
      throw wrong(`unsupported fieldPath: ${fieldPath}`)
  }
}

/** One `key="value"` a line, in the order of the keys. */
function formatMap(map: Readonly<Record<string, string>>): string {
  const lines = Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return lines.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join('\n')
}

/** An amount in units of the divisor, rounded up. Throws ContainerError. */
export function resourceValue(
  view: FieldView,
  selector: ResourceFieldSelector,
  itself: Container | undefined,
): string {
  const { containerName, resource } = selector
  const container = containerName ? findContainer(view.pod, containerName) : itself
  if (container === undefined) throw wrong(`container ${containerName} not found`)
  const [kind, name = ''] = splitOnce(resource, '.')
  const isKnown =
    ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-')
  if ((kind !== 'limits' && kind !== 'requests') || !isKnown) {
    throw wrong(`unsupported container resource : ${resource}`)
  }
  const limit = limitOf(view, container, name)
  const amount = kind === 'limits' ? limit : (own(container.resources?.requests, name) ?? '0')
  const divisor = isZero(selector.divisor) ? '1' : selector.divisor!
  const units = name === 'cpu' ? milliUnits : wholeUnits
  return String(Math.ceil(units(parseQuantity(amount)) / units(parseQuantity(divisor))))
}

/** A container without a limit may take what the pod, or else the node, has. */
function limitOf(view: FieldView, container: Container, name: string): string {
  const limit = own(container.resources?.limits, name)
  if (!isZero(limit)) return limit!
  const shared = own(view.pod.spec.resources?.limits, name)
  return (isZero(shared) ? view.allocatable[name] : shared) ?? '0'
}

function isZero(text: string | undefined): boolean {
  return text === undefined || text === '' || parseQuantity(text).unscaled === 0n
}

function findContainer(pod: Pod, name: string): Container | undefined {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  return all.find((container) => container.name === name)
}

function splitOnce(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}

function wrong(message: string): ContainerError {
  return new ContainerError('CreateContainerConfigError', message)
}
