import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aContainerSeen } from '../../../test/support/pod.ts'
import { endOfLog, terminationMessage } from './termination-message.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-words-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const failed = aContainerSeen({ name: 'web', state: 'exited', exitCode: 1 })
const fallback = { name: 'web', terminationMessagePolicy: 'FallbackToLogsOnError' }
const line = (text: string) => `2026-01-01T00:00:00.000000000Z stdout F ${text}\n`

async function paths(message: string | undefined, log: string) {
  const at = await mkdtemp(join(folder, 'w-'))
  const files = { message: join(at, 'message'), log: join(at, 'log') }
  if (message !== undefined) await writeFile(files.message, message)
  await writeFile(files.log, log)
  return files
}

test('are what the container wrote, no more than 4 KiB of it', async () => {
  expect(await terminationMessage({ name: 'web' }, failed, await paths('bye\n', ''))).toBe('bye\n')
  const long = await paths('x'.repeat(5000), '')
  expect(await terminationMessage({ name: 'web' }, failed, long)).toHaveLength(4096)
})

test('are nothing where there is no file', async () => {
  expect(await terminationMessage({ name: 'web' }, failed, await paths(undefined, ''))).toBe('')
})

test('are the end of the log where the container asks for that and has failed', async () => {
  const files = await paths('', line('first') + line('last'))
  expect(await terminationMessage(fallback, failed, files)).toBe('first\nlast\n')
  const well = { ...failed, exitCode: 0 }
  expect(await terminationMessage(fallback, well, files)).toBe('')
  expect(await terminationMessage({ name: 'web' }, failed, files)).toBe('')
})

test('the end of a log is eighty lines or two KiB of plain text', () => {
  const log = Array.from({ length: 200 }, (_, i) => line(String(i))).join('')
  expect(endOfLog(log).split('\n').slice(0, 2)).toEqual(['120', '121'])
  expect(endOfLog(line('y'.repeat(3000)))).toHaveLength(2048)
  const parts = `${line('a').replace(' F a', ' P a')}${line('b')}`.replace('P a\n', 'P a\n')
  expect(endOfLog(parts)).toBe('ab\n')
})
