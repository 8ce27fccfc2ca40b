import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, SimClock, SystemClock } from '../../lib/clock.ts'
import { type Log, silentLog } from '../../lib/log.ts'
import { ContainerLog } from './container-log.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-log-'))
  path = join(folder, 'pod/0.log')
  Bun.spawnSync(['mkfifo', join(folder, 'out'), join(folder, 'err')])
})
afterEach(() => rmSync(folder, { recursive: true }))

function logOf(clock: Clock = new SystemClock(), log = silentLog) {
  const fifos = { stdout: join(folder, 'out'), stderr: join(folder, 'err') }
  return new ContainerLog({ clock, log, path, fifos })
}

/** A container: its ends of the FIFOs, as the wrapper of runc opens them. */
function container() {
  const [out, err] = [openSync(join(folder, 'out'), 'r+'), openSync(join(folder, 'err'), 'r+')]
  return {
    say: (text: string) => writeSync(out, text),
    complain: (text: string) => writeSync(err, text),
    end() {
      closeSync(out)
      closeSync(err)
    },
  }
}

function lines(): string[] {
  const text = readFileSync(path, 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/^\S+ /, ''))
}

test('a container that says nothing has an empty log', async () => {
  const log = logOf()
  await log.create()
  log.start(true)
  const one = container()
  log.release()
  expect(readFileSync(path, 'utf8')).toBe('')
  one.end()
  await log.finish()
})

test('both streams end in one file, and the end of the container is the end', async () => {
  const log = logOf()
  log.start(true)
  const one = container()
  log.release()
  one.say('hello\nhalf')
  one.complain('oops\n')
  one.end()
  await log.finish()
  expect(lines().toSorted()).toEqual(['stderr F oops', 'stdout F hello', 'stdout P half'])
})

test('a reader that comes back finds what was written while it was away', async () => {
  const first = logOf()
  first.start(true)
  const one = container()
  first.release()
  one.say('before\n')
  await first.detach()
  one.say('between\n')
  const second = logOf()
  second.start(false)
  one.say('after\n')
  one.end()
  await second.finish()
  expect(lines().filter((line) => line.includes('stdout'))).toEqual([
    'stdout F before',
    'stdout F between',
    'stdout F after',
  ])
})

test('listeners get copies, and one that fails does not stop the log', async () => {
  const log = logOf()
  log.start(true)
  const heard: string[] = []
  log.listen(async (stream, bytes) => void heard.push(`${stream}: ${Buffer.from(bytes)}`))
  log.listen(() => Promise.reject(new Error('gone')))
  const one = container()
  one.say('hello\n')
  one.end()
  await log.finish()
  expect(heard).toEqual(['stdout: hello\n'])
  expect(lines()).toEqual(['stdout F hello'])
})

test('a disk that takes nothing costs output, and the log says how much', async () => {
  const clock = new SimClock()
  // A file where the folder should be stands for every fault of a disk.
  writeFileSync(join(folder, 'pod'), '')
  let isDropping = false
  const observed: Log = {
    ...silentLog,
    error() {
      isDropping = true
    },
  }
  const log = logOf(clock, observed)
  log.start(true)
  const one = container()
  log.release()
  one.say('lost\n')
  while (!isDropping) await clock.advance(1000)
  rmSync(join(folder, 'pod'))
  one.say('kept\n')
  one.end()
  await log.finish()
  expect(lines()).toEqual([
    'stderr F kedge: 45 bytes of log were lost: the disk took no more',
    'stdout F kept',
  ])
})
