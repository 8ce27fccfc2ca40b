// Commands in real containers, whatever they leave behind: each has an answer within its limit, and
// nothing of it runs on. Run by runtime.test.ts in namespaces of its own.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { runInContainer } from '../../src/agent/exec.ts'
import { SystemClock } from '../../src/lib/clock.ts'
import { type RealRuntime, startRealRuntime } from '../support/real-runtime.ts'
import { aPod } from './runtime.contract.ts'

const clock = new SystemClock()
const signal = new AbortController().signal
let world: RealRuntime
let containerId = ''
let podUid = ''
beforeAll(async () => {
  world = await startRealRuntime()
  const { uid, pod, config, sandbox } = aPod(world, 'sleep 1000')
  await world.runtime.createSandbox(pod, sandbox, signal)
  containerId = (await world.runtime.startContainer(config(), signal)).id
  podUid = uid
}, 60_000)
afterAll(async () => {
  await world.runtime.removeSandbox(podUid, signal)
  await world.close()
}, 60_000)

const run = (script: string, rest: 'release' | 'kill' = 'kill', limit: AbortSignal = signal) => {
  const wish = { containerId, command: ['sh', '-c', script], rest }
  return runInContainer({ runtime: world.runtime, clock }, wish, limit)
}

/** What runs there besides its first process, which reaps nobody, and `ps` itself. */
async function left(): Promise<string[]> {
  const { output } = await run('exec ps -o args')
  return output
    .trim()
    .split('\n')
    .filter((line) => !/^(COMMAND|\{ps\}|sleep 1000|\[)/.test(line))
}

async function untilNothingIsLeft(): Promise<void> {
  while ((await left()).length > 0) await Bun.sleep(20)
}

/** Commands that never end by themselves, each with a `sleep 555` somewhere below it. */
const ENDLESS: Record<string, string> = {
  'a child that the shell waits for': 'sleep 555; true',
  'a child of a child': 'sh -c "sleep 555; true"; true',
  'a child in a session of its own': 'setsid sleep 555 & wait',
  'one that ignores signals': 'trap "" TERM INT HUP; sleep 555; sleep 555',
  'a child that holds the output, and a parent that does not': 'sleep 555 & exec >&- 2>&-; wait',
  'one that forks all the time': 'while :; do sleep 555 & sleep 0.01; done',
}

for (const [what, script] of Object.entries(ENDLESS)) {
  test(`ended at its limit, nothing is left of ${what}`, async () => {
    const limit = new AbortController()
    const ended = run(script, 'kill', limit.signal).catch((error) => error.message)
    while (!(await left()).some((line) => line.includes('sleep 555'))) await Bun.sleep(10)
    limit.abort(new Error('late'))
    expect(await ended).toBe('late')
    await untilNothingIsLeft()
  }, 30_000)
}

test('a probe that leaves somebody behind is answered, and they are ended', async () => {
  const scripts = [
    ...['sleep 555 &', '(sleep 555; true) &', 'sleep 555 >/dev/null 2>&1 & exit 3'],
    ...['setsid sleep 555 & sleep 0.2; exit 3', 'setsid sh -c "sleep 555; true" & exit 3'],
  ]
  for (const script of scripts) {
    const { exitCode } = await run(`echo up; ${script}`)
    expect(exitCode).toBe(script.endsWith('3') ? 3 : 0)
    await untilNothingIsLeft()
  }
}, 30_000)

test('a hook is over though somebody holds its output, who then is ended', async () => {
  expect(await run('(sleep 555; true) & echo up; exit 4', 'release')).toEqual({
    exitCode: 4,
    output: 'up\n',
  })
  await run('sleep 0.1')
  await untilNothingIsLeft()
}, 30_000)

test('what a hook leaves behind runs on when it holds no output', async () => {
  const { exitCode } = await run('sleep 555 >/dev/null 2>&1 &', 'release')
  expect(exitCode).toBe(0)
  expect(await left()).toEqual(['sleep 555'])
  await run('ps -o pid,args | while read p a; do [ "$a" = "sleep 555" ] && kill $p; done')
  await untilNothingIsLeft()
}, 30_000)
