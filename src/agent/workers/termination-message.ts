// What a container left behind to say why it ended: its termination message.

import { open } from 'node:fs/promises'
import type { Container } from '../../api/schema/generated/types.ts'
import { isMissing } from '../../lib/files.ts'
import type { ContainerSeen } from '../../runtime/contract.ts'

const MESSAGE_BYTES_MAX = 4096
/** When the log has to serve: so many lines, and no more bytes than this. */
const LOG_LINES_MAX = 80
const LOG_BYTES_MAX = 2048
/** A line of the log has a time and a stream before its text; this is plenty for all of them. */
const LOG_READ_BYTES = 64 * 1024

/** The container's own file, or the end of its log where it asks for that and has failed. */
export async function terminationMessage(
  container: Container,
  seen: ContainerSeen,
  paths: { readonly message: string; readonly log: string },
): Promise<string> {
  const bytes = await readEnd(paths.message, MESSAGE_BYTES_MAX, 'start')
  const message = bytes?.toString() ?? ''
  const wantsLog = container.terminationMessagePolicy === 'FallbackToLogsOnError'
  if (message !== '' || !wantsLog || seen.exitCode === 0 || seen.failure !== undefined) {
    return message
  }
  const log = await readEnd(paths.log, LOG_READ_BYTES, 'end')
  return log === undefined ? '' : endOfLog(log.toString())
}

async function readEnd(
  path: string,
  bytesMax: number,
  from: 'start' | 'end',
): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    const position = from === 'start' ? 0 : Math.max(size - bytesMax, 0)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, position)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The text of the last lines of a CRI log: `time stream F text`. Pure. */
export function endOfLog(log: string): string {
  let text = ''
  for (const line of log.split('\n').slice(-LOG_LINES_MAX - 1)) {
    const match = /^\S+ (?:stdout|stderr) ([FP])\S* (.*)$/s.exec(line)
    if (match !== null) text += match[1] === 'F' ? `${match[2]}\n` : match[2]
  }
  const bytes = Buffer.from(text)
  return bytes.subarray(Math.max(bytes.length - LOG_BYTES_MAX, 0)).toString()
}
