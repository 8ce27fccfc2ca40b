// What is wrong with a custom resource, beyond its metadata.

import { qualifiedNameFaults } from '../names.ts'
import type { AnyObject, KubeObject } from '../object.ts'
import { isObject } from '../patch/value.ts'
import type { Rule } from '../resource.ts'
import type {
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from '../schema/generated/types.ts'
import { type FieldError, fieldError } from '../status.ts'
import { embeddedFaults } from './embedded.ts'
import { changeFaults, instanceFaults } from './instance.ts'
import { listFaults } from './lists.ts'
import type { Props } from './schema.ts'

type Version = CustomResourceDefinitionVersion

export function rulesOf({ schema: validation, subresources }: Version): Rule<KubeObject>[] {
  const schema = validation?.openAPIV3Schema ?? {}
  const scale = subresources?.scale
  return [
    (object, old) =>
      old === undefined ? instanceFaults(object, schema) : changeFaults(object, old, schema),
    (object) => [...specScaleFaults(object, scale), ...statusScaleFaults(object, scale)],
    (object) => embeddedFaults(object, schema),
    (object, old) => changedListFaults(object, old, schema),
  ]
}

export function statusRulesOf({ schema: validation, subresources }: Version): Rule<KubeObject>[] {
  const schema = validation?.openAPIV3Schema ?? {}
  const statusSchema = schema.properties?.status
  const statusOf = (object: KubeObject | undefined) => (object as AnyObject | undefined)?.status
  return [
    (object, old) => {
      const status = statusOf(object)
      if (status === undefined || statusSchema === undefined) return []
      return statusOf(old) === undefined
        ? instanceFaults(status, statusSchema, 'status')
        : changeFaults(status, statusOf(old), statusSchema, 'status')
    },
    (object) => statusScaleFaults(object, subresources?.scale),
    (object, old) => changedListFaults(object, old, schema),
  ]
}

/** Lists that were wrong already may stay so. */
function changedListFaults(object: KubeObject, old: KubeObject | undefined, schema: Props) {
  const faults = listFaults(object, schema)
  if (faults.length === 0 || old === undefined) return faults
  return listFaults(old, schema).length > 0 ? [] : faults
}

const REPLICAS_MAX = 2_147_483_647

function specScaleFaults(
  object: KubeObject,
  scale: CustomResourceSubresourceScale | undefined,
): FieldError[] {
  return scale === undefined ? [] : replicaFaults(object, scale.specReplicasPath)
}

function statusScaleFaults(
  object: KubeObject,
  scale: CustomResourceSubresourceScale | undefined,
): FieldError[] {
  if (scale === undefined) return []
  const path = scale.labelSelectorPath
  const faults = replicaFaults(object, scale.statusReplicasPath)
  const selector = path ? valueAt(object, path) : undefined
  if (path && selector !== undefined && typeof selector !== 'string') {
    faults.push(fieldError.invalid(path, '', wrongType(path, selector, 'string')))
  }
  return faults
}

function replicaFaults(object: KubeObject, path: string): FieldError[] {
  const value = valueAt(object, path)
  if (value === undefined) return []
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return [fieldError.invalid(path, 0, wrongType(path, value, 'int64'))]
  }
  if (value < 0) return [fieldError.invalid(path, value, 'should be a non-negative integer')]
  const why = `should be less than or equal to ${REPLICAS_MAX}`
  return value > REPLICAS_MAX ? [fieldError.invalid(path, value, why)] : []
}

function wrongType(path: string, value: unknown, wanted: string): string {
  const is = typeof value === 'number' ? 'float64' : typeof value === 'boolean' ? 'bool' : 'string'
  const go = Array.isArray(value)
    ? '[]interface {}'
    : isObject(value)
      ? 'map[string]interface {}'
      : is
  const shown = isObject(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)
  return `${path} accessor error: ${shown} is of the type ${go}, expected ${wanted}`
}

function valueAt(object: KubeObject, path: string): unknown {
  const names = path.split('.').filter((name) => name !== '')
  return names.reduce<unknown>(
    (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    object,
  )
}

const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

/** Of finalizers that others could take for theirs. */
export function warningsOf(object: KubeObject, old: KubeObject | undefined): string[] {
  const before = new Set(old?.metadata.finalizers)
  const added = (object.metadata.finalizers ?? []).filter((name) => !before.has(name))
  return [...new Set(added)].sort().flatMap((name) => {
    const say = (what: string) => `metadata.finalizers: ${JSON.stringify(name)}: ${what}`
    const wrong = qualifiedNameFaults(name).map(say)
    if (name.includes('/') || STANDARD_FINALIZERS.has(name)) return wrong
    const path = name.includes('.') ? ' including a path (/)' : ''
    const avoid = 'to avoid accidental conflicts with other finalizer writers'
    return [...wrong, say(`prefer a domain-qualified finalizer name${path} ${avoid}`)]
  })
}
