import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimClock } from '../../lib/clock.ts'
import { LogFile, removeLog, rotationStamp } from './log-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-log-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const bytes = (text: string) => Buffer.from(text)

test('appends to what is there', async () => {
  const path = join(folder, 'pod', '0.log')
  for (const text of ['one\n', 'two\n']) {
    const file = new LogFile(path, new SimClock(), { bytesMax: 100, filesMax: 3 })
    await file.append(bytes(text))
    await file.close()
  }
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
})

test('a full file is put aside and only so many are kept', async () => {
  const clock = new SimClock()
  const path = join(folder, '0.log')
  const file = new LogFile(path, clock, { bytesMax: 10, filesMax: 3 })
  for (let i = 0; i < 6; i++) {
    await file.append(bytes(`line ${i}\n`))
    await clock.advance(1000)
  }
  await file.close()
  const names = readdirSync(folder).toSorted()
  expect(names).toHaveLength(3)
  expect(readFileSync(path, 'utf8')).toBe('line 5\n')
  expect(names.slice(1).map((name) => readFileSync(join(folder, name), 'utf8'))).toEqual([
    'line 3\n',
    'line 4\n',
  ])
})

test('records of two writers stay whole and in order', async () => {
  const path = join(folder, '0.log')
  const file = new LogFile(path, new SimClock(), { bytesMax: 1000, filesMax: 3 })
  await Promise.all([...'abcdef'].map((letter) => file.append(bytes(letter.repeat(3)))))
  await file.close()
  expect(readFileSync(path, 'utf8')).toBe('aaabbbcccdddeeefff')
})

test('rotations within one second have names that sort', () => {
  const at = Date.UTC(2026, 10, 21, 13, 15, 2)
  const first = rotationStamp(at, [])
  const second = rotationStamp(at, [`0.log.${first}`])
  expect(first).toBe('20261121-131502')
  expect(second > first).toBe(true)
})

test('removing a log takes its rotated files and leaves the neighbours', async () => {
  for (const name of ['0.log', '0.log.20261121-131502', '10.log']) {
    const file = new LogFile(join(folder, name), new SimClock(), { bytesMax: 10, filesMax: 3 })
    await file.append(bytes('x'))
    await file.close()
  }
  await removeLog(join(folder, '0.log'))
  expect(readdirSync(folder)).toEqual(['10.log'])
})
