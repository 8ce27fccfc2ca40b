// Real containers that end, or fail, at every step of their start: each comes to an end that is
// known, and leaves nothing. The runc that containerd finds is a script that does harm on demand.
// Run by runtime.test.ts in namespaces of its own.

import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RealRuntime, startRealRuntime } from '../support/real-runtime.ts'
import { aPod, untilExited } from './runtime.contract.ts'

const FAULTS = [
  ...['none', 'create-fails', 'dies-after-create', 'start-fails'],
  ...['dies-before-start', 'dies-after-start', 'slow-after-start'],
] as const
const signal = new AbortController().signal
const tools = mkdtempSync(join(tmpdir(), 'kedge-deaths-'))
let world: RealRuntime

const setFault = (fault: (typeof FAULTS)[number]) => writeFileSync(join(tools, 'fault'), fault)

function harmfulRunc(real: string): string {
  return `#!/bin/sh
verb=; pidfile=; last=
for one; do
  case "$one" in create|start) verb=\${verb:-$one};; esac
  [ "$last" = --pid-file ] && pidfile=$one
  last=$one
done
kept=${tools}/pid-$last
case "$verb $(cat ${tools}/fault)" in
"create create-fails"|"start start-fails") exit 1;;
"create dies-after-create") ${real} "$@" || exit; kill -9 $(cat "$pidfile"); exit 0;;
"create "*) ${real} "$@" || exit; cp "$pidfile" "$kept"; exit 0;;
"start dies-before-start") kill -9 $(cat "$kept"); exec ${real} "$@";;
"start dies-after-start") ${real} "$@"; code=$?; kill -9 $(cat "$kept"); exit $code;;
"start slow-after-start") ${real} "$@"; code=$?; sleep 0.5; exit $code;;
esac
exec ${real} "$@"
`
}

beforeAll(async () => {
  const runc = realpathSync(Bun.which('runc')!)
  copyFileSync(runc, join(tools, 'real'))
  writeFileSync(join(tools, 'runc'), harmfulRunc(join(tools, 'real')), { mode: 0o755 })
  // Mounts are this process's own.
  Bun.spawnSync(['mount', '--bind', join(tools, 'runc'), runc])
  setFault('none')
  world = await startRealRuntime()
}, 60_000)
afterAll(async () => {
  await world.close()
  rmSync(tools, { recursive: true })
}, 60_000)

afterEach(async () => {
  const { ctr } = world.containerd
  expect((await world.runtime.observeAll(signal)).size).toBe(0)
  expect((await ctr.run(['containers', 'ls', '-q'], signal)).trim()).toBe('')
  expect((await ctr.run(['tasks', 'ls', '-q'], signal)).trim()).toBe('')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  expect(mounts.filter((line) => line.includes(`${world.folder}/state`))).toEqual([])
})

const SCRIPTS: Record<string, number | undefined> = {
  true: 0,
  'exit 3': 3,
  'sleep 1000': undefined,
}

for (const fault of FAULTS) {
  for (const [script, ownCode] of Object.entries(SCRIPTS)) {
    test(`${script}: ${fault}`, async () => {
      const { runtime } = world
      const { uid, pod, config, sandbox } = aPod(world, script)
      await runtime.createSandbox(pod, sandbox, signal)
      setFault(fault)
      const refused = await runtime.startContainer(config(), signal).then(
        () => undefined,
        (error) => error.reason,
      )
      const [seen] = (await runtime.observe(uid, signal)).containers
      const lives = ownCode === undefined && (fault === 'none' || fault === 'slow-after-start')
      if (lives) {
        expect(seen).toMatchObject({ state: 'running' })
        await runtime.stopContainer(seen!.id, 0, signal)
      }
      const ended = await untilExited(runtime, uid, seen!.id)
      if (fault.endsWith('fails')) {
        expect(refused).toBe('RunContainerError')
        expect(ended).toMatchObject({ exitCode: 128, failure: { reason: 'StartError' } })
      } else if (fault === 'none' || fault === 'slow-after-start') {
        expect([refused, ended.exitCode]).toEqual([undefined, ownCode ?? 137])
        expect(ended.failure).toBeUndefined()
      }
      expect(ended.exitedAtMs).toBeGreaterThanOrEqual(ended.startedAtMs ?? ended.createdAtMs)
      // The next attempt is one like any other.
      setFault('none')
      const again = await runtime.startContainer(config({ attempt: 1 }), signal)
      if (ownCode === undefined) expect(again.state).toBe('running')
      else expect((await untilExited(runtime, uid, again.id)).exitCode).toBe(ownCode)
      await runtime.removeSandbox(uid, signal)
    }, 40_000)
  }
}

for (const afterMs of [0, 10, 30, 60, 90, 150]) {
  test(`given up after ${afterMs} ms`, async () => {
    const { runtime } = world
    const { uid, pod, config, sandbox } = aPod(world, 'sleep 1000')
    await runtime.createSandbox(pod, sandbox, signal)
    const stop = new AbortController()
    const starting = runtime.startContainer(config(), stop.signal).then(
      (one) => one.state,
      (error) => error,
    )
    await Bun.sleep(afterMs)
    stop.abort(new Error('given up'))
    const result = await starting
    const [seen] = (await runtime.observe(uid, signal)).containers
    if (result === 'running') expect(seen?.state).toBe('running')
    else {
      expect(result).toBe(stop.signal.reason)
      if (seen !== undefined) expect(seen).toMatchObject({ state: 'exited', exitCode: 137 })
      expect(seen?.failure).toBeUndefined()
    }
    await runtime.removeSandbox(uid, signal)
  }, 40_000)
}
