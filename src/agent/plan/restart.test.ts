import { describe, expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import { aContainerSeen, aPod } from '../../../test/support/pod.ts'
import { mayRestart, noteRestart, restartAtMs } from './restart.ts'

describe('mayRestart', () => {
  test('follows rules first, then the container, then the pod', () => {
    const policies = ['Always', 'OnFailure', 'Never']
    const cases = everyCase((choose) => {
      const restartPolicy = choose(policies)
      const own = choose([undefined, ...policies])
      const rule = choose([undefined, 'In', 'NotIn'])
      const exitCode = choose([0, 1, 7])
      const rules = rule && [{ action: 'Restart', exitCodes: { operator: rule, values: [7] } }]
      const container = {
        name: 'web',
        ...(own ? { restartPolicy: own } : {}),
        ...(rules ? { restartPolicyRules: rules } : {}),
      }
      const may = mayRestart(aPod({ restartPolicy, containers: [container] }), container, exitCode)
      const isMatched = (rule === 'In' && exitCode === 7) || (rule === 'NotIn' && exitCode !== 7)
      const policy = own ?? restartPolicy
      const byPolicy = policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
      expect(may).toBe(isMatched || byPolicy)
    })
    expect(cases).toBe(108)
  })
})

describe('the back-off of restarts', () => {
  const endedAt = (exitedAtMs: number) =>
    aContainerSeen({ name: 'web', state: 'exited', exitedAtMs })

  test('doubles from ten seconds to five minutes, counted from the exit', () => {
    let last = noteRestart(undefined, 0, 0)
    const delays = [last.delayMs]
    for (let i = 0; i < 6; i++) {
      last = noteRestart(last, last.atMs + 1000, last.atMs + 1000)
      delays.push(last.delayMs)
    }
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300].map((seconds) => seconds * 1000))
    expect(restartAtMs({ delayMs: 20_000, atMs: 0 }, endedAt(5000))).toBe(25_000)
  })

  test('lets the first restart come at once', () => {
    expect(restartAtMs(undefined, endedAt(5000))).toBe(0)
  })

  test('is forgotten when a container ran for ten minutes', () => {
    const last = { delayMs: 300_000, atMs: 0 }
    expect(restartAtMs(last, endedAt(600_000))).toBe(900_000)
    expect(restartAtMs(last, endedAt(600_001))).toBe(0)
    expect(noteRestart(last, 600_001, 600_001).delayMs).toBe(10_000)
  })
})
