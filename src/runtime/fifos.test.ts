import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readlinkSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DetachedProcesses, SystemProcesses } from '../lib/process.ts'
import { keepInput, keepOutputs } from './fifos.ts'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const system = new SystemProcesses()
let folder: string
let pids: number[]
const processes: DetachedProcesses = {
  startDetached(argv, output, held) {
    const pid = system.startDetached(argv, output, held)
    pids.push(pid)
    return pid
  },
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-fifos-'))
  pids = []
})
afterEach(() => {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true })
})

function fifos(count: number): string[] {
  const paths = Array.from({ length: count }, (_, i) => join(folder, String(i)))
  expect(Bun.spawnSync(['mkfifo', ...paths]).exitCode).toBe(0)
  return paths
}

/** Fails when nobody has the other end open. */
function sayInto(path: string): void {
  const fd = openSync(path, O_WRONLY | O_NONBLOCK)
  writeSync(fd, 'last words')
  closeSync(fd)
}

test('outputs are held from the moment that we may leave, however many there are', () => {
  const paths = fifos(600)
  keepOutputs(processes, [...paths, join(folder, 'gone')])
  for (const path of paths) sayInto(path)
  for (const path of paths) {
    const fd = openSync(path, O_RDONLY | O_NONBLOCK)
    const buffer = Buffer.alloc(100)
    expect(buffer.toString('latin1', 0, readSync(fd, buffer))).toBe('last words')
    closeSync(fd)
  }
  expect(pids).toHaveLength(3)
})

test('an input is held at once, by a process that is found by it', () => {
  const [path] = fifos(1)
  keepInput(processes, path!)
  sayInto(path!)
  expect(readlinkSync(`/proc/${pids[0]}/fd/3`)).toBe(path!)
})
