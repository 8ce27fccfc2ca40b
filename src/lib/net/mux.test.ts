import { expect, test } from 'bun:test'
import type { ByteStream } from '../byte-stream.ts'
import { SimClock } from '../clock.ts'
import { type MessagePipe, Mux } from './mux.ts'

const never = new AbortController().signal

/** Two message pipes joined in memory; either can be held up or cut. */
function pipePair() {
  type Side = {
    inbox: (Uint8Array | undefined)[]
    wake: (() => void) | undefined
    sentBytes: number
  }
  const sides: Side[] = [
    { inbox: [], wake: undefined, sentBytes: 0 },
    { inbox: [], wake: undefined, sentBytes: 0 },
  ]
  let open = true
  let silent = false
  const close = () => {
    open = false
    for (const side of sides) {
      side.inbox.push(undefined)
      side.wake?.()
    }
  }
  const pipe = (mine: Side, theirs: Side): MessagePipe => ({
    async send(message) {
      if (!open) throw new Error('pipe is closed')
      mine.sentBytes += message.byteLength
      if (silent) return
      theirs.inbox.push(message)
      theirs.wake?.()
    },
    async receive() {
      while (mine.inbox.length === 0) {
        await new Promise<void>((resolve) => {
          mine.wake = resolve
        })
      }
      return mine.inbox.shift()
    },
    close,
  })
  const [left, right] = sides as [Side, Side]
  return {
    left: pipe(left, right),
    right: pipe(right, left),
    sentBytes: () => left.sentBytes,
    cut: close,
    /** From now on everything is lost, and nobody is told. */
    lose() {
      silent = true
    },
  }
}

function world(
  accept?: (purpose: string, signal: AbortSignal) => Promise<(s: ByteStream) => void>,
) {
  const clock = new SimClock()
  const pipes = pipePair()
  const opened: { purpose: string; stream: ByteStream }[] = []
  const remember = async (purpose: string) => (stream: ByteStream) => {
    opened.push({ purpose, stream })
  }
  const server = new Mux(pipes.left, { initiator: true, clock, accept: remember })
  const agent = new Mux(pipes.right, { initiator: false, clock, accept: accept ?? remember })
  const running = [server.run(never), agent.run(never)]
  return { clock, pipes, server, agent, opened, running }
}

async function readAll(stream: ByteStream): Promise<string> {
  return await new Response(stream.readable as never).text()
}
const bytes = (text: string) => new TextEncoder().encode(text)
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
async function turns(count = 50) {
  for (let i = 0; i < count; i++) await turn()
}

test('a stream carries bytes both ways, and each way ends by itself', async () => {
  const { server, opened } = world()
  const near = await server.open('hello', never)
  const far = opened[0]!
  expect(far.purpose).toBe('hello')
  await near.write(bytes('question'))
  await near.end()
  expect(await readAll(far.stream)).toBe('question')
  await far.stream.write(bytes('answer'))
  await far.stream.end()
  expect(await readAll(near)).toBe('answer')
})

test('either side may open streams', async () => {
  const { agent, opened } = world()
  const near = await agent.open('from the agent', never)
  expect(opened[0]!.purpose).toBe('from the agent')
  await near.end()
  expect(await readAll(opened[0]!.stream)).toBe('')
})

test('a refused stream is an error with the reason of the other side', async () => {
  const { server } = world(async () => {
    throw new Error('no such port')
  })
  await expect(server.open('x', never)).rejects.toThrow('no such port')
})

test('a writer stops at the window until the reader takes bytes, and others go on', async () => {
  const { server, pipes, opened } = world()
  const stuck = await server.open('stuck', never)
  const free = await server.open('free', never)
  let done = false
  const writing = stuck.write(new Uint8Array(1024 * 1024)).then(() => {
    done = true
  })
  await turns()
  expect(done).toBe(false)
  expect(pipes.sentBytes()).toBeLessThan(300 * 1024)

  await free.write(bytes('still here'))
  await free.end()
  expect(await readAll(opened[1]!.stream)).toBe('still here')

  const reading = readAll(opened[0]!.stream)
  await writing
  await stuck.end()
  expect((await reading).length).toBe(1024 * 1024)
})

test('writes of one stream arrive in the order of the calls', async () => {
  const { server, opened } = world()
  const near = await server.open('x', never)
  for (let i = 0; i < 100; i++) void near.write(bytes(`${i};`))
  await near.end()
  const expected = Array.from({ length: 100 }, (_, i) => `${i};`).join('')
  expect(await readAll(opened[0]!.stream)).toBe(expected)
})

test('a reset ends both directions with its reason', async () => {
  const { server, opened } = world()
  const near = await server.open('x', never)
  const reading = readAll(opened[0]!.stream)
  near.abort(new Error('gone away'))
  await expect(reading).rejects.toThrow('gone away')
  await expect(near.write(bytes('x'))).rejects.toThrow('gone away')
  await turns()
  await expect(opened[0]!.stream.write(bytes('x'))).rejects.toThrow('gone away')
})

test('a reader that cancels resets the stream, and a writer in wait learns of it', async () => {
  const { server, opened } = world()
  const near = await server.open('x', never)
  const writing = near.write(new Uint8Array(1024 * 1024))
  await turns()
  await opened[0]!.stream.readable.cancel('enough')
  await expect(writing).rejects.toThrow('enough')
})

test('a broken pipe breaks every stream, once', async () => {
  const { server, pipes, opened, running } = world()
  const near = await server.open('x', never)
  pipes.cut()
  await Promise.all(running)
  await expect(readAll(near)).rejects.toThrow('tunnel closed')
  await expect(readAll(opened[0]!.stream)).rejects.toThrow('tunnel closed')
  await expect(server.open('y', never)).rejects.toThrow('tunnel closed')
})

test('a pipe that has gone silent is found out by pings and closed', async () => {
  const { clock, pipes, running } = world()
  await clock.advance(120_000)
  pipes.lose()
  let over = false
  void Promise.all(running).then(() => {
    over = true
  })
  await clock.advance(30_000)
  expect(over).toBe(false)
  await clock.advance(30_000)
  await turns()
  expect(over).toBe(true)
})

test('an aborted opening resets the stream on the other side', async () => {
  let seen: AbortSignal | undefined
  const { server } = world((_, signal) => {
    seen = signal
    return new Promise(() => {})
  })
  const stop = new AbortController()
  const opening = server.open('x', stop.signal)
  await turns()
  stop.abort(new Error('no longer wanted'))
  await expect(opening).rejects.toThrow('no longer wanted')
  await turns()
  expect(seen?.aborted).toBe(true)
})

test('what comes for a stream that is gone is passed over', async () => {
  const { server, opened } = world()
  const near = await server.open('x', never)
  near.abort('first')
  void opened[0]!.stream.write(bytes('too late')).catch(() => {})
  await turns()
  const next = await server.open('y', never)
  await next.end()
  expect(await readAll(opened[1]!.stream)).toBe('')
})
