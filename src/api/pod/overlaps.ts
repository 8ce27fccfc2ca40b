// Files of one volume that would hide each other: the same path twice, or one below another.

import type { Volume, VolumeProjection } from '../schema/generated/types.ts'

type Placed = { path: string; source: string }

export function overlapWarnings(volumes: readonly Volume[]): string[] {
  return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected }) => {
    const found = (kind: string, items: readonly Placed[]) =>
      overlapsOf(items).map((text) => `volume "${name}" (${kind}): overlapping paths: ${text}`)
    return [
      ...found(`ConfigMap "${configMap?.name ?? ''}"`, placed(configMap?.items, '')),
      ...found(`Secret "${secret?.secretName ?? ''}"`, placed(secret?.items, '')),
      ...found('DownwardAPI', placed(downwardAPI?.items, '')),
      ...(projected?.sources ?? []).flatMap((source) =>
        Object.keys(source).length === 0
          ? [`volume "${name}" (Projected) has no sources provided`]
          : [],
      ),
      ...found('Projected', (projected?.sources ?? []).flatMap(placedBy)),
    ]
  })
}

function placedBy(source: VolumeProjection): Placed[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source
  if (configMap?.items) return placed(configMap.items, `ConfigMap "${configMap.name ?? ''}"`)
  if (secret?.items) return placed(secret.items, `Secret "${secret.name ?? ''}"`)
  if (downwardAPI?.items) return placed(downwardAPI.items, 'DownwardAPI')
  return serviceAccountToken ? placed([serviceAccountToken], 'ServiceAccountToken') : []
}

function placed(items: readonly { path?: string }[] = [], source: string): Placed[] {
  return items.map(({ path = '' }) => ({ path: withoutLastSlashes(path), source }))
}

function withoutLastSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}

function overlapsOf(items: readonly Placed[]): string[] {
  return items.flatMap((item, index) =>
    items
      .slice(0, index)
      .filter((other) => isOverlap(item.path, other.path))
      .map((other) => `${textOf(item)} with ${textOf(other)}`),
  )
}

function isOverlap(a: string, b: string): boolean {
  if (a === '' || b === '') return false
  return `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`)
}

function textOf({ path, source }: Placed): string {
  return source === '' ? `"${path}"` : `"${path}" (${source})`
}
