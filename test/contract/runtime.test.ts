// The runtime's contract, for the fake here and for the real one in a machine of its own.

import { test } from 'bun:test'
import { SystemClock } from '../../src/lib/clock.ts'
import { FakeImages, FakeRuntime } from '../support/fake-runtime.ts'
import { cannotIsolate, runIsolated } from '../support/isolated.ts'
import { type RuntimeWorld, runtimeContract } from './runtime.contract.ts'

async function fakeWorld(): Promise<RuntimeWorld> {
  const runtime = new FakeRuntime(new SystemClock())
  const exitCode = (command: readonly string[] | undefined) =>
    /^exit (\d+)$/.exec(command?.at(-1) ?? '')?.[1]
  runtime.onStart = ({ command }) => {
    const code = exitCode(command)
    return code === undefined ? undefined : Number(code)
  }
  runtime.onExec = (_, command) => ({ exitCode: Number(exitCode(command)) })
  runtime.ignoresStop = ({ id }) =>
    runtime.configs.get(id)?.command?.some((part) => part.includes('trap')) ?? false
  const image = (await new FakeImages().find('kedge-test/busybox:1'))!
  const nothing = async () => {}
  return { runtime, image, folder: '/fake', cgroupParent: 'x', restart: nothing, close: nothing }
}

runtimeContract('a fake runtime', fakeWorld)

const PROGRAMS = ['containerd', 'ctr', 'runc', 'nft', 'ip', 'busybox']
const reason = cannotIsolate(PROGRAMS)
if (reason !== undefined) console.log(`skipped: tests of the real runtime (${reason})`)

test.skipIf(reason !== undefined)(
  'the real runtime keeps its contract',
  () => runIsolated('./test/contract/runtime.real.ts'),
  300_000,
)

test.skipIf(reason !== undefined)(
  'commands in real containers end with all that they started',
  () => runIsolated('./test/contract/exec.real.ts'),
  300_000,
)

test.skipIf(reason !== undefined)(
  'containers that end at any step of their start leave nothing',
  () => runIsolated('./test/contract/deaths.real.ts'),
  300_000,
)
