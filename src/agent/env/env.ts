// The environment of a container: envFrom first, then env in its order, then what is left of the
// Services. Later definitions of a name replace earlier ones.

import { ContainerError } from '../../api/pod/container-error.ts'
import { expand } from '../../api/pod/expand.ts'
import { type FieldView, fieldValue, resourceValue } from '../../api/pod/field-ref.ts'
import type { Container, EnvVarSource, Service } from '../../api/schema/generated/types.ts'
import type { ObjectReader } from '../../volumes/contract.ts'
import { serviceEnv } from './service-env.ts'

export type EnvView = FieldView & {
  readonly services: readonly Service[]
  readonly objects: ObjectReader
}

/** Reads what it needs from `objects`. Throws ContainerError CreateContainerConfigError. */
export async function environmentOf(
  view: EnvView,
  container: Container,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const namespace = view.pod.metadata.namespace!
  const links = view.pod.spec.enableServiceLinks ?? true
  const services = serviceEnv(view.services, namespace, links)
  const env = await importedEnv(view, container, signal)
  for (const { name, value = '', valueFrom } of container.env ?? []) {
    const lookUp = (key: string) => env.get(key) ?? services.get(key)
    const result =
      value !== '' ? expand(value, lookUp) : await sourced(view, container, valueFrom, signal)
    if (result !== undefined) env.set(name, result)
  }
  for (const [name, value] of services) if (!env.has(name)) env.set(name, value)
  return env
}

async function importedEnv(
  { pod, objects }: EnvView,
  container: Container,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const env = new Map<string, string>()
  const namespace = pod.metadata.namespace!
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const data = configMapRef
      ? await objects.configMap(namespace, configMapRef.name ?? '', signal)
      : await objects.secret(namespace, secretRef?.name ?? '', signal)
    if (data === undefined) {
      if (!(configMapRef ?? secretRef)?.optional) throw missing(configMapRef, secretRef)
      continue
    }
    for (const [key, value] of data.entries()) env.set(`${prefix}${key}`, text(value))
  }
  return env
}

/** The value of one source; undefined when it is optional and not there. */
async function sourced(
  view: EnvView,
  container: Container,
  source: EnvVarSource | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source ?? {}
  if (fieldRef) return fieldValue(view, fieldRef.fieldPath)
  if (resourceFieldRef) return resourceValue(view, resourceFieldRef, container)
  if (fileKeyRef) {
    const message = `environment variables from files of a volume (fileKeyRef) are not supported`
    throw new ContainerError('CreateContainerConfigError', message)
  }
  const ref = configMapKeyRef ?? secretKeyRef
  if (ref === undefined) return ''
  const namespace = view.pod.metadata.namespace!
  const data = configMapKeyRef
    ? await view.objects.configMap(namespace, ref.name ?? '', signal)
    : await view.objects.secret(namespace, ref.name ?? '', signal)
  if (data === undefined && !ref.optional) throw missing(configMapKeyRef, secretKeyRef)
  const value = data?.get(ref.key)
  if (value !== undefined) return text(value)
  if (ref.optional) return undefined
  const where = `${configMapKeyRef ? 'ConfigMap' : 'Secret'} ${namespace}/${ref.name}`
  const message = `couldn't find key ${ref.key} in ${where}`
  throw new ContainerError('CreateContainerConfigError', message)
}

function missing(
  configMap: { name?: string } | undefined,
  secret: { name?: string } | undefined,
): ContainerError {
  const what = configMap ? `configmap "${configMap.name}"` : `secret "${secret?.name}"`
  return new ContainerError('CreateContainerConfigError', `${what} not found`)
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString()
}
