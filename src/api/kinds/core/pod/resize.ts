// Changing the resources of a running pod (KEP 1287).

import { own } from '../../../../lib/own.ts'
import { MIRROR } from '../../../pod/annotations.ts'
import { isSidecar } from '../../../pod/containers.ts'
import { computeQosClass, qosClassOf, type ResourceList } from '../../../pod/resources.ts'
import type {
  Container,
  Pod,
  PodSpec,
  ResourceRequirements,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { sameValue } from '../../../validation/values.ts'
import { checkWhole } from './validation.ts'

export function checkResize(faults: FieldErrors, pod: Pod, old: Pod | undefined) {
  if (old === undefined) return
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    return faults.forbidden('', 'static pods cannot be resized')
  }
  if (old.spec.os?.name === 'windows') {
    return faults.forbidden('', 'windows pods cannot be resized')
  }
  checkWhole(faults, pod)
  if (qosClassOf(old) !== computeQosClass(pod)) {
    const shown = pod.status?.qosClass ?? ''
    faults.invalid('spec', shown, 'Pod QOS Class may not change as a result of resizing')
  }
  if (!isSupported(old)) {
    faults.forbidden('spec', 'Pod running on node without support for resize')
  }
  const masked = checkPodLevel(faults, pod.spec, old.spec)
  if ((old.status?.nodeAllocatableResourceClaimStatuses ?? []).length > 0) {
    faults.forbidden('spec', 'pods with node allocatable resource claims cannot be resized')
  }
  if (!checkOrder(faults, pod.spec, old.spec)) return
  checkRemoved(faults, pod.spec, old.spec)
  checkContainers(faults, masked, old.spec)
  if (faults.list.length === 0 && !sameValue(masked, old.spec)) {
    faults.forbidden('spec', 'only cpu and memory resources are mutable')
  }
}

/** Nodes that can resize say what resources a running container has. */
function isSupported({ status }: Pod): boolean {
  const running = status?.containerStatuses?.find(({ state }) => state?.running !== undefined)
  return running === undefined || running.resources !== undefined
}

/** Returns the new spec with CPU and memory of the whole pod as they were. */
function checkPodLevel(faults: FieldErrors, spec: PodSpec, old: PodSpec): PodSpec {
  const [now, before] = [spec.resources, old.resources]
  if (!isSaid(now) && !isSaid(before)) return { ...spec }
  if (before !== undefined && now === undefined) {
    faults.forbidden('spec.resources', 'pod-level resources cannot be removed')
    return { ...spec }
  }
  if (before !== undefined) {
    for (const kind of ['requests', 'limits'] as const) {
      if (!isRemoved(now?.[kind], before[kind])) continue
      const detail = `pod-level resource ${kind} cannot be removed`
      faults.forbidden(`spec.resources.${kind}`, detail)
    }
  }
  const masked = withComputeOf(now ?? {}, before ?? {})
  const isEmpty = before === undefined && Object.keys(masked).length === 0
  const { resources: _own, ...rest } = spec
  if (!sameValue(isEmpty ? undefined : masked, before)) {
    faults.forbidden('spec', 'only cpu and memory resources are mutable at pod-level')
  }
  return isEmpty ? rest : { ...rest, resources: masked }
}

function checkOrder(faults: FieldErrors, spec: PodSpec, old: PodSpec): boolean {
  const before = faults.list.length
  for (const kind of ['containers', 'initContainers'] as const) {
    const [now, then] = [spec[kind] ?? [], old[kind] ?? []]
    if (now.length !== then.length) {
      faults.forbidden(`spec.${kind}`, `${kind} may not be added or removed on resize`)
      continue
    }
    for (const [index, container] of then.entries()) {
      if (now[index]!.name === container.name) continue
      const detail = `${kind} may not be renamed or reordered on resize`
      faults.forbidden(`spec.${kind}[${index}].name`, detail)
    }
  }
  return faults.list.length === before
}

function checkRemoved(faults: FieldErrors, spec: PodSpec, old: PodSpec) {
  for (const kind of ['initContainers', 'containers'] as const) {
    for (const [index, container] of (old[kind] ?? []).entries()) {
      const now = spec[kind]![index]!.resources
      for (const list of ['requests', 'limits'] as const) {
        if (!isRemoved(now?.[list], container.resources?.[list])) continue
        const path = `spec.${kind}[${index}].resources.${list}`
        faults.forbidden(path, `resource ${list} cannot be removed`)
      }
    }
  }
}

/** Masks CPU and memory in `spec`; other differences are faults. */
function checkContainers(faults: FieldErrors, spec: PodSpec, old: PodSpec) {
  spec.containers = spec.containers.map((container, index) => {
    const masked = maskContainer(container, old.containers[index]!)
    if (!sameValue(masked, old.containers[index])) {
      faults.forbidden('spec', 'only cpu and memory resources are mutable')
    }
    return masked
  })
  if (spec.initContainers === undefined) return
  spec.initContainers = spec.initContainers.map((container, index) => {
    const before = old.initContainers![index]!
    const path = `spec.initContainers[${index}]`
    const masked = maskContainer(container, before)
    if (!sameValue(masked, before)) {
      const detail = 'only cpu and memory resources for init or sidecar containers are mutable'
      faults.forbidden(path, detail)
    }
    const isChangedInit = !isSidecar(container) && !sameValue(container, before)
    for (const { restartPolicy } of (isChangedInit && container.resizePolicy) || []) {
      if (restartPolicy !== 'RestartContainer') continue
      const start = 'non-sidecar init containers with a resize policy of RestartContainer'
      faults.forbidden(path, `${start} cannot be resized`)
    }
    return masked
  })
}

function maskContainer(container: Container, old: Container): Container {
  const resources = withComputeOf(container.resources ?? {}, old.resources ?? {})
  const isWritten = container.resources !== undefined || old.resources !== undefined
  return isWritten ? { ...container, resources } : container
}

const COMPUTE = ['cpu', 'memory']

function withComputeOf(now: ResourceRequirements, old: ResourceRequirements): ResourceRequirements {
  const lists = (['limits', 'requests'] as const).flatMap((kind) => {
    const others = Object.entries(now[kind] ?? {}).filter(([name]) => !COMPUTE.includes(name))
    const compute = Object.entries(old[kind] ?? {}).filter(([name]) => COMPUTE.includes(name))
    const list = Object.fromEntries([...others, ...compute])
    return Object.keys(list).length === 0 ? [] : [[kind, list] as const]
  })
  return Object.fromEntries(lists)
}

function isRemoved(now: ResourceList = {}, old: ResourceList = {}): boolean {
  const isShorter = Object.keys(old).length > Object.keys(now).length
  return isShorter || Object.keys(old).some((name) => own(now, name) === undefined)
}

function isSaid(resources: ResourceRequirements | undefined): boolean {
  const { requests = {}, limits = {} } = resources ?? {}
  return Object.keys(requests).length + Object.keys(limits).length > 0
}
