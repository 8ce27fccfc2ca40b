import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../test/support/cluster.ts'
import { leases } from '../api/resources/leases.ts'
import { silentLog } from '../lib/log.ts'
import { leadWhenElected, mayTake } from './lease.ts'

describe('leadWhenElected', () => {
  test('lets one of two lead, and the other when the first falls silent', async () => {
    await using cluster = await TestCluster.start()
    const { client, clock, signal } = cluster
    const led: string[] = []
    const contend = (identity: string, stop: AbortSignal) => {
      const options = { client, clock, log: silentLog, namespace: 'default', name: 'x', identity }
      return leadWhenElected(
        options,
        async (term) => {
          led.push(`${identity} begins`)
          await new Promise<void>((resolve) => term.addEventListener('abort', () => resolve()))
          led.push(`${identity} ends`)
        },
        stop,
      )
    }
    const first = new AbortController()
    const done = contend('first', first.signal)
    await cluster.advance(2000)
    const other = contend('other', signal)
    await cluster.advance(30_000)
    expect(led).toEqual(['first begins'])
    const held = await cluster.get(leases, 'x')
    expect(held!.spec).toMatchObject({ holderIdentity: 'first', leaseDurationSeconds: 15 })

    first.abort()
    await cluster.advance(13_000)
    expect(led).toEqual(['first begins', 'first ends'])
    await cluster.advance(5_000)
    expect(led).toEqual(['first begins', 'first ends', 'other begins'])
    expect((await cluster.get(leases, 'x'))!.spec.leaseTransitions).toBe(1)
    await done
    void other
  })
})

describe('mayTake', () => {
  const lease = (holderIdentity?: string) => ({
    metadata: {},
    spec: { leaseDurationSeconds: 15, ...(holderIdentity ? { holderIdentity } : {}) },
  })

  test('judges by when the lease was last seen to change, not by what it says', () => {
    const seen = (holder?: string) => ({ lease: lease(holder), changedAtMs: 1000 })
    expect(mayTake(seen(), 'me', 1000)).toBe(true)
    expect(mayTake(seen('me'), 'me', 1000)).toBe(true)
    expect(mayTake(seen('other'), 'me', 15_999)).toBe(false)
    expect(mayTake(seen('other'), 'me', 16_000)).toBe(true)
  })
})
