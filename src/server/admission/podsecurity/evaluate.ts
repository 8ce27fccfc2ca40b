// What a pod violates of a level at a version.

import { BASELINE } from './baseline.ts'
import type { Check, CheckPod, PodLike, VersionedCheck, Violation } from './checks.ts'
import type { LevelVersion } from './policy.ts'
import { RESTRICTED } from './restricted.ts'

/** The youngest version in which a check came or changed; what lies beyond it is the same. */
const YOUNGEST = Math.max(
  ...[...BASELINE, ...RESTRICTED].flatMap(({ versions }) => versions.map(({ since }) => since)),
)

const LISTS = {
  baseline: listPerVersion((version) => checksAt(BASELINE, version)),
  restricted: listPerVersion(restrictedAt),
}

/** In upstream's order: the checks of baseline, then those of restricted, each by their ids. */
export function violationsOf({ level, version }: LevelVersion, pod: PodLike): Violation[] {
  if (level === 'privileged') return []
  const at = version === 'latest' ? YOUNGEST : Math.min(version, YOUNGEST)
  return LISTS[level][at]!.map((check) => check(pod)).filter((found) => found !== undefined)
}

/** `host namespaces, privileged` */
export function reasonsText(violations: readonly Violation[]): string {
  return violations.map(({ reason }) => reason).join(', ')
}

/** `host namespaces (hostPID=true), privileged (container "a" must not …)` */
export function detailsText(violations: readonly Violation[]): string {
  return violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')
}

type Current = { id: string; versioned: VersionedCheck }

function restrictedAt(version: number): Current[] {
  const own = checksAt(RESTRICTED, version)
  const overridden = new Set(own.flatMap(({ versioned }) => versioned.overrides ?? []))
  return [...checksAt(BASELINE, version).filter(({ id }) => !overridden.has(id)), ...own]
}

function checksAt(checks: readonly Check[], version: number): Current[] {
  const byId = checks.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return byId.flatMap(({ id, versions }) => {
    const versioned = versions.findLast(({ since }) => since <= version)
    return versioned === undefined ? [] : [{ id, versioned }]
  })
}

function listPerVersion(listOf: (version: number) => Current[]): CheckPod[][] {
  const versions = Array.from({ length: YOUNGEST + 1 }, (_, version) => version)
  return versions.map((version) => listOf(version).map(({ versioned }) => versioned.check))
}
