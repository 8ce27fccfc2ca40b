// What several kinds print in tables, in the words of kubectl (pkg/printers/internalversion).

import { humanDuration } from '../duration.ts'
import type { KubeObject } from '../object.ts'
import type { Column } from '../resource.ts'
import type { Container, LabelSelector } from '../schema/generated/types.ts'

/** The column that nearly every kind has. */
export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  priority: 0,
  description: 'Time since the object was created.',
  cell: (object, nowMs) => since(object.metadata.creationTimestamp, nowMs),
}

/** What stands in tables of kinds that upstream has no columns for. */
export const createdAtColumn: Column<KubeObject> = {
  name: 'Created At',
  type: 'date',
  priority: 0,
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? null,
}

/** Time since `timestamp` (RFC 3339), or `<unknown>`. */
export function since(timestamp: string | undefined, nowMs: number): string {
  const atMs = timestamp === undefined ? Number.NaN : Date.parse(timestamp)
  return Number.isNaN(atMs) ? '<unknown>' : humanDuration(nowMs - atMs)
}

/** `a=b,c=d` by key, or `<none>`. */
export function labelsCell(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
  return pairs.length === 0 ? '<none>' : pairs.join(',')
}

/** A label selector as text: `a=b,c in (d,e),!f`; `empty` when it selects everything. */
export function selectorText(selector: LabelSelector | undefined, empty: string): string {
  const requirements = [
    ...Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({
      key,
      text: `${key}=${value}`,
    })),
    ...(selector?.matchExpressions ?? []).map(({ key, operator, values }) => ({
      key,
      text: requirementText(key, operator, values ?? []),
    })),
  ]
  const texts = requirements.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ text }) => text)
  return texts.length === 0 ? empty : texts.join(',')
}

function requirementText(key: string, operator: string, values: readonly string[]): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.toSorted().join(',')})`
    case 'NotIn':
      return `${key} notin (${values.toSorted().join(',')})`
    case 'DoesNotExist':
      return `!${key}`
    default:
      return key
  }
}

export function containerNamesCell(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map((container) => container.name).join(',')
}

export function imagesCell(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map((container) => container.image ?? '').join(',')
}

const LISTED_MAX = 3

/** The first three, and how many more there are. */
export function firstOf(items: readonly string[]): string {
  const shown = items.slice(0, LISTED_MAX).join(',')
  const more = items.length - LISTED_MAX
  return more > 0 ? `${shown} + ${more} more...` : shown
}
