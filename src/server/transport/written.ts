// How long an answer may take to be read. Whoever does not read it must not keep it in our memory.

import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Clock } from '../../lib/clock.ts'

export type SocketResponse = ServerResponse | Http2ServerResponse

/** What upstream gives every request; and the slowest reader that counts as one. */
const READ_MS_MIN = 60_000
const BYTES_PER_MS_MIN = 16

/** Calls `over` once, when all of `response` was taken or never will be. */
export function whenWritten(response: SocketResponse, over: () => void): void {
  const target = response as ServerResponse
  let isOver = false
  const once = () => {
    if (!isOver) over()
    isOver = true
  }
  if (target.destroyed || target.writableFinished) return once()
  target.once('finish', once)
  target.once('close', once)
}

/** Ends the connection, or the stream of it, when `bytes` are not taken in time. */
export function limitReading(response: SocketResponse, bytes: number, clock: Clock): void {
  const ms = READ_MS_MIN + bytes / BYTES_PER_MS_MIN
  whenWritten(
    response,
    clock.after(ms, () => cutOff(response)),
  )
}

/** Whatever is still unread is given up. */
export function cutOff(response: SocketResponse): void {
  const { stream, socket } = response as { stream?: Destroyable; socket?: Destroyable | null }
  if (stream !== undefined) stream.destroy()
  else (socket ?? (response as Destroyable)).destroy()
}

type Destroyable = { destroy(): unknown }
