import { describe, expect, test } from 'bun:test'
import { SimClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { MonitorReader, type Nft, type NftChange, type NftListener } from './nft.ts'
import { RulesGuard } from './rules-guard.ts'

const SIGNATURE = 'inet kedge-by-1'

/** What `listener` is told of the lines of nft. */
function told(text: string, step = text.length): string[] {
  const said: string[] = []
  const reader = new MonitorReader(SIGNATURE, {
    changed: (changes) => void said.push(changes.map((one) => Object.values(one).join(' ')).join()),
    lost: () => void said.push('lost'),
    heard: () => void said.push('heard'),
  })
  for (let at = 0; at < text.length; at += step) reader.read(text.slice(at, at + step))
  return said
}

describe('MonitorReader', () => {
  const FOREIGN =
    'delete rule inet kedge c handle 4\n' +
    'delete rule inet kedge c handle 5\n' +
    'add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }\n' +
    '# new generation 7 by process 27604 (nft)\n'
  const OURS =
    `add table ${SIGNATURE}\ndelete table ${SIGNATURE}\n` +
    'delete element inet kedge own { 1.2.3.4 . 1.2.3.4 }\n' +
    '# new generation 8 by process 1 (nft)\n'

  test('tells transactions of others from ours, however the text is cut', () => {
    const said = ['delete rule inet kedge false,add chain ip filter true', 'heard']
    for (const step of [1, 7, 1000]) expect(told(FOREIGN + OURS, step)).toEqual(said)
  })

  test('does not take a name like ours for ours', () => {
    expect(told(`add table ${SIGNATURE}2\n# new generation 9 by process 1 (x)\n`)).toEqual([
      'add table inet kedge-by-12 false',
    ])
  })

  test('says when something went by unread', () => {
    expect(told('# ERROR: We lost some netlink events!\n')).toEqual(['lost'])
    expect(told('x'.repeat(3_000_000), 700_000)).toContain('lost')
  })
})

describe('RulesGuard', () => {
  const change = (table: string): NftChange => {
    return { verb: 'delete', what: 'rule', table, isForwardChain: false }
  }

  async function started() {
    const clock = new SimClock()
    const stop = new AbortController()
    const monitors: { listener: NftListener; end: () => void }[] = []
    const nft: Nft = {
      // Heard by the newest monitor, as in the kernel.
      apply: async () => monitors.at(-1)?.listener.heard(),
      read: async () => '',
      watch(listener, signal) {
        const { promise, resolve } = Promise.withResolvers<void>()
        monitors.push({ listener, end: resolve })
        signal.addEventListener('abort', () => resolve())
        return promise
      },
    }
    const guard = new RulesGuard({ nft, clock, log: silentLog })
    const repaired: string[] = []
    for (const table of ['inet a', 'inet b']) {
      const concerns = (one: NftChange) => one.table === table
      guard.guard({ name: table, concerns, repair: () => void repaired.push(table) })
    }
    const { done } = await guard.start(stop.signal)
    const end = async () => {
      stop.abort()
      await done
    }
    return { clock, monitors, repaired, end }
  }

  const turns = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }

  test('has repaired what was changed, once, and nothing else', async () => {
    const { clock, monitors, repaired, end } = await started()
    for (let i = 0; i < 3; i++) monitors[0]!.listener.changed([change('inet a'), change('ip x')])
    expect(repaired).toEqual([])
    await clock.advance(2000)
    expect(repaired).toEqual(['inet a'])
    await end()
  })

  test('has everything repaired after it could not listen, but not after its first start', async () => {
    const { clock, monitors, repaired, end } = await started()
    await clock.advance(10_000)
    expect(repaired).toEqual([])
    monitors[0]!.listener.lost()
    await clock.advance(2000)
    expect(repaired.splice(0)).toEqual(['inet a', 'inet b'])
    monitors[0]!.end()
    await turns()
    await clock.advance(500)
    await turns()
    expect(monitors).toHaveLength(2)
    await clock.advance(2000)
    expect(repaired).toEqual(['inet a', 'inet b'])
    await end()
  })
})
