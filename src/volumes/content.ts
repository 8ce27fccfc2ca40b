// What the files of ConfigMap, Secret, downwardAPI and projected volumes hold.

import { type FieldView, fieldValue, resourceValue } from '../api/pod/field-ref.ts'
import type {
  ConfigMapProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from '../api/schema/generated/types.ts'
import type { FileContent, Payload } from './atomic-writer.ts'
import type { Contents, ObjectReader, TokenSource } from './contract.ts'

export type ContentView = FieldView & {
  readonly objects: ObjectReader
  readonly tokens: TokenSource
}

type Files = Map<string, FileContent>
type Wish = { items?: readonly KeyToPath[]; optional?: boolean }

const MODE_DEFAULT = 0o644

/** The files of a volume that is made from objects; undefined for every other kind of volume. */
export async function payloadOf(
  view: ContentView,
  volume: Volume,
  signal: AbortSignal,
): Promise<Payload | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume
  if (configMap) return ofConfigMap(view, configMap, configMap.defaultMode, signal)
  if (secret) {
    const wish = { ...secret, name: secret.secretName ?? '' }
    return ofSecret(view, wish, secret.defaultMode, signal)
  }
  if (downwardAPI) return ofFields(view, downwardAPI.items ?? [], downwardAPI.defaultMode)
  if (projected) return ofProjected(view, volume.name, projected, signal)
  return undefined
}

async function ofProjected(
  view: ContentView,
  volume: string,
  projected: ProjectedVolumeSource,
  signal: AbortSignal,
): Promise<Payload> {
  const files: Files = new Map()
  for (const source of projected.sources ?? []) {
    const part = await ofSource(view, volume, source, projected.defaultMode, signal)
    for (const [path, content] of part) files.set(path, content)
  }
  return files
}

async function ofSource(
  view: ContentView,
  volume: string,
  source: VolumeProjection,
  mode: number | undefined,
  signal: AbortSignal,
): Promise<Payload> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source
  if (configMap) return ofConfigMap(view, configMap, mode, signal)
  if (secret) return ofSecret(view, secret, mode, signal)
  if (downwardAPI) return ofFields(view, downwardAPI.items ?? [], mode)
  if (serviceAccountToken) {
    const { path } = serviceAccountToken
    const token = await view.tokens.get(view.pod, volume, serviceAccountToken, signal)
    return token === undefined ? new Map() : new Map([[path, tokenFile(view.pod, token, mode)]])
  }
  const kind = Object.keys(source)[0] ?? 'nothing'
  throw new Error(`projected volumes from ${kind} are not supported`)
}

/** Readable by the pod's one user alone where it has one, or by its group. */
function tokenFile(pod: Pod, token: string, mode: number | undefined): FileContent {
  const uid = commonUser(pod)
  const isOwned = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined
  const bytes = Buffer.from(token)
  return {
    bytes,
    mode: isOwned ? 0o600 : (mode ?? MODE_DEFAULT),
    ...(uid === undefined ? {} : { uid }),
  }
}

/** The user of all containers, when the pod says that it is one and the same. */
function commonUser({ spec }: Pod): number | undefined {
  const { containers, initContainers = [], ephemeralContainers = [] } = spec
  const users = new Set(
    [...containers, ...initContainers, ...ephemeralContainers].map(
      ({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
    ),
  )
  return users.size === 1 ? [...users][0] : undefined
}

async function ofConfigMap(
  view: ContentView,
  wish: ConfigMapProjection,
  mode: number | undefined,
  signal: AbortSignal,
): Promise<Payload> {
  const { namespace } = view.pod.metadata
  const contents = await view.objects.configMap(namespace!, wish.name ?? '', signal)
  if (contents === undefined && !wish.optional)
    throw new Error(`configmap "${wish.name}" not found`)
  return chosen(contents, wish, mode, 'configmap references non-existent config key')
}

async function ofSecret(
  view: ContentView,
  wish: Wish & { name?: string },
  mode: number | undefined,
  signal: AbortSignal,
): Promise<Payload> {
  const { namespace } = view.pod.metadata
  const contents = await view.objects.secret(namespace!, wish.name ?? '', signal)
  if (contents === undefined && !wish.optional) throw new Error(`secret "${wish.name}" not found`)
  return chosen(contents, wish, mode, 'references non-existent secret key')
}

/** All keys under their own names, or the named ones under the paths given. Pure. */
export function chosen(
  contents: Contents | undefined,
  { items, optional }: Wish,
  mode: number = MODE_DEFAULT,
  complaint = 'references non-existent key',
): Payload {
  const files: Files = new Map()
  if (contents === undefined) return files
  if (items === undefined || items.length === 0) {
    for (const [key, bytes] of contents) files.set(key, { bytes, mode })
    return files
  }
  for (const { key, path, mode: own } of items) {
    const bytes = contents.get(key)
    if (bytes !== undefined) files.set(path, { bytes, mode: own ?? mode })
    else if (!optional) throw new Error(`${complaint}: ${key}`)
  }
  return files
}

function ofFields(
  view: ContentView,
  items: readonly DownwardAPIVolumeFile[],
  mode: number = MODE_DEFAULT,
): Payload {
  const files: Files = new Map()
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const value = fieldRef
      ? fieldValue(view, fieldRef.fieldPath)
      : resourceValue(view, resourceFieldRef!, undefined)
    files.set(path, { bytes: Buffer.from(value), mode: own ?? mode })
  }
  return files
}
