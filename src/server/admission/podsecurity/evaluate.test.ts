import { describe, expect, test } from 'bun:test'
import { BASELINE } from './baseline.ts'
import type { PodLike } from './checks.ts'
import cases from './evaluate.cases.json'
import { detailsText, violationsOf } from './evaluate.ts'
import { RESTRICTED } from './restricted.ts'

/** Beyond the youngest change, and what is yet to come. */
const VERSIONS = [...Array.from({ length: 40 }, (_, minor) => minor), 'latest'] as const

// The file holds what the evaluator of Kubernetes 1.36 says of each pod, for each level: its words
// from each version on in which they change.
for (const { name, pod, ...expected } of cases) {
  test(`${name}, in the words of every version`, () => {
    for (const level of ['baseline', 'restricted'] as const) {
      for (const version of VERSIONS) {
        const at = version === 'latest' ? Number.POSITIVE_INFINITY : version
        const wanted = expected[level].findLast(([since]) => (since as number) <= at)![1]
        const found = detailsText(violationsOf({ level, version }, pod as unknown as PodLike))
        expect([level, version, found]).toEqual([level, version, wanted as string])
      }
    }
  })
}

describe('the cases', () => {
  const changed = (level: 'baseline' | 'restricted') =>
    new Set(cases.flatMap((one) => one[level].map(([since]) => since as number)))

  test('try every check in every version that it changed in', () => {
    const untried = [...BASELINE, ...RESTRICTED].flatMap(({ id, versions }) =>
      versions.flatMap(({ check, since }) => {
        const isTried = cases.some(({ pod }) => check(pod as unknown as PodLike) !== undefined)
        const isSeen =
          since === 0 || changed('baseline').has(since) || changed('restricted').has(since)
        return isTried && isSeen ? [] : [`${id} v1.${since}`]
      }),
    )
    expect(untried).toEqual([])
  })

  test('are let through by privileged', () => {
    for (const { pod } of cases) {
      const found = violationsOf(
        { level: 'privileged', version: 'latest' },
        pod as unknown as PodLike,
      )
      expect(found).toEqual([])
    }
  })
})
