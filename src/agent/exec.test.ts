import { expect, test } from 'bun:test'
import { everyCase } from '../../test/support/every-case.ts'
import { SimClock } from '../lib/clock.ts'
import type { ExecOptions, ExecSession, Runtime } from '../runtime/contract.ts'
import { runInContainer } from './exec.ts'

type Script = { ends: boolean; outputEnds: boolean; prints: string }

class FakeSession implements ExecSession {
  readonly stdout: ReadableStream<Uint8Array>
  readonly stderr = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
  readonly exitCode: Promise<number>
  isClosed = false
  isCancelled = false

  constructor({ ends, outputEnds, prints }: Script) {
    this.exitCode = ends ? Promise.resolve(7) : new Promise(() => {})
    this.stdout = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(prints))
        if (outputEnds) controller.close()
      },
      cancel: () => {
        this.isCancelled = true
      },
    })
  }

  async write() {}
  async endInput() {}
  resize() {}
  close() {
    this.isClosed = true
  }
}

function run(script: Script, rest: 'release' | 'kill', signal: AbortSignal) {
  const clock = new SimClock(0)
  const session = new FakeSession(script)
  const asked: ExecOptions[] = []
  const exec = async (_: string, options: ExecOptions) => {
    asked.push(options)
    return session
  }
  const deps = { runtime: { exec } as unknown as Runtime, clock }
  const wish = { containerId: 'c', command: ['x'], rest }
  return { result: runInContainer(deps, wish, signal), session, clock, asked }
}

test('whatever a command leaves open, there is an answer', async () => {
  const cases: { script: Script; rest: 'release' | 'kill' }[] = []
  everyCase((choose) => {
    const ends = choose([true, false])
    const outputEnds = choose([true, false])
    cases.push({
      script: { ends, outputEnds, prints: 'out' },
      rest: choose(['release', 'kill'] as const),
    })
  })
  for (const { script, rest } of cases) {
    const limit = new AbortController()
    const { result, session, clock, asked } = run(script, rest, limit.signal)
    const settled = result.catch(() => 'ended')
    await clock.advance(1_000)
    // Only a command that has not ended needs its limit.
    if (!script.ends) limit.abort(new Error('late'))
    expect(await settled).toEqual(script.ends ? { exitCode: 7, output: 'out' } : 'ended')
    expect(session.isClosed).toBe(true)
    expect(asked[0]!.rest).toBe(rest)
    expect(session.isCancelled).toBe(!script.outputEnds)
  }
})

test('more output than is of use is read and thrown away', async () => {
  const script = { ends: true, outputEnds: true, prints: 'x'.repeat(100_000) }
  const { result } = run(script, 'kill', new AbortController().signal)
  expect((await result).output).toHaveLength(10_240)
})
