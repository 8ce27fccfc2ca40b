// Whatever ends at whichever point of its start, the pod comes to rest. The plan and what a worker
// remembers, without a clock that ticks or a runtime that runs.

import { expect, test } from 'bun:test'
import { everyCase } from '../../../test/support/every-case.ts'
import { aContainerSeen, anImage, aPod } from '../../../test/support/pod.ts'
import { ContainerError } from '../../api/pod/container-error.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { SimClock } from '../../lib/clock.ts'
import type { ContainerSeen, PodSeen } from '../../runtime/contract.ts'
import { planPod } from '../plan/pod-plan.ts'
import type { Action, PodPlan } from '../plan/pod-seen.ts'
import type { ContainerProbes } from '../probes/container-probes.ts'
import { podStatus } from '../status/pod-status.ts'
import { PodMemory } from './pod-worker-state.ts'

type Death = 'none' | 'no start' | 'at start' | 'before hook' | 'in hook' | 'after hook' | 'sandbox'
type Script = { death: Death; exitCode: number }

const STEPS_MAX = 60

/** One pod whose first container dies once, as the script says. */
class World {
  readonly clock = new SimClock(0)
  readonly memory = new PodMemory(this.clock, {})
  readonly starts: string[] = []
  runtime: PodSeen = { sandbox: undefined, containers: [] }
  readonly #script: Script
  #isSpent = false
  #hasNews = false

  constructor(script: Script) {
    this.#script = script
  }

  /** Until nothing is left to do or to wait for. Throws when that never comes. */
  async settle(pod: Pod): Promise<PodPlan> {
    for (let step = 0; step < STEPS_MAX; step++) {
      this.#probe()
      const seen = this.memory.see(pod)
      const plan = planPod(seen)
      this.memory.reported = podStatus({ seen, plan, messages: new Map() }, [])
      for (const key of plan.cancel) this.memory.busy.delete(key)
      for (const action of plan.actions) this.#perform(action)
      if (plan.actions.length > 0) continue
      if (plan.recheckInMs === undefined) return plan
      await this.clock.advance(plan.recheckInMs)
    }
    throw new Error(`never at rest: ${JSON.stringify([this.#script, pod.spec])}`)
  }

  /** Whatever runs is well. */
  #probe(): void {
    const health = { started: true, ready: true, failed: undefined }
    this.memory.probes.clear()
    for (const { id, state } of this.runtime.containers) {
      if (state === 'running') this.memory.probes.set(id, { health } as ContainerProbes)
    }
  }

  #perform(action: Action): void {
    this.memory.noteBegin(action)
    try {
      this.memory.noteDone(action, this.#result(action))
    } catch (error) {
      this.memory.noteFailed(action, error)
    }
    // A worker looks only when it hears of something.
    if (this.#hasNews) this.memory.noteObserved(this.runtime)
    this.#hasNews = false
  }

  #result(action: Action) {
    const { death } = this.#script
    switch (action.do) {
      case 'create-sandbox': {
        const sandbox = { podUid: 'u', state: 'ready' as const, ips: [], createdAtMs: 0 }
        this.runtime = { ...this.runtime, sandbox }
        return sandbox
      }
      case 'remove-sandbox':
        this.runtime = { sandbox: undefined, containers: [] }
        return undefined
      case 'find-image':
        return anImage(action.container.name)
      case 'start':
        return this.#start(action)
      case 'post-start': {
        const one = this.runtime.containers.find(({ id }) => id === action.id)
        if (death === 'in hook' && this.#dies(one!.name)) this.#end(action.id)
        const now = this.runtime.containers.find(({ id }) => id === action.id)
        if (now?.state !== 'running') throw new ContainerError('NotFound', 'is not running')
        if (death === 'after hook' && this.#dies(now.name)) this.#end(action.id)
        return undefined
      }
      case 'stop':
        this.#end(action.id, 137)
        return undefined
      case 'remove':
        this.#keep(({ id }) => id !== action.id)
        return undefined
      default:
        return undefined
    }
  }

  #start({ container, kind, attempt }: Extract<Action, { do: 'start' }>): ContainerSeen {
    const { death } = this.#script
    const { name } = container
    this.starts.push(name)
    this.#hasNews = true
    const id = `${name}${attempt}-${this.starts.length}`
    const made = aContainerSeen({ name, id, kind, attempt, createdAtMs: this.clock.nowMs() })
    const { containers } = this.runtime
    this.runtime = { ...this.runtime, containers: [...containers, made] }
    const isLate = death === 'in hook' || death === 'after hook'
    if (death === 'none' || isLate || !this.#dies(name)) return made
    if (death === 'sandbox') {
      this.#end(id)
      this.runtime = { ...this.runtime, sandbox: { ...this.runtime.sandbox!, state: 'broken' } }
      return made
    }
    const failure = { reason: 'StartError', message: 'no such file' }
    this.#end(id, undefined, death === 'no start' ? failure : undefined)
    if (death === 'no start') throw new ContainerError('RunContainerError', 'no such file')
    // Before the hook: the end is heard after the start was told.
    return death === 'at start' ? this.runtime.containers.at(-1)! : made
  }

  #dies(name: string): boolean {
    if (name !== 'a' || this.#isSpent) return false
    this.#isSpent = true
    return true
  }

  #end(id: string, code?: number, failure?: ContainerSeen['failure']): void {
    this.#hasNews = true
    const exitCode = code ?? (failure ? 128 : this.#script.exitCode)
    const end = { state: 'exited' as const, exitCode, exitedAtMs: this.clock.nowMs(), failure }
    const containers = this.runtime.containers.map((one) =>
      one.id === id ? { ...one, ...end } : one,
    )
    this.runtime = { ...this.runtime, containers }
  }

  #keep(which: (one: ContainerSeen) => boolean): void {
    this.runtime = { ...this.runtime, containers: this.runtime.containers.filter(which) }
  }
}

test('a pod comes to rest whatever ends at whichever point of its start', async () => {
  const cases: { script: Script; pod: Pod; kind: string }[] = []
  everyCase((choose) => {
    const kind = choose(['regular', 'init', 'sidecar'])
    const death: Death = choose([
      ...([
        'none',
        'no start',
        'at start',
        'before hook',
        'in hook',
        'after hook',
        'sandbox',
      ] as const),
    ])
    const exitCode = choose([0, 1])
    const lifecycle = choose([{}, { postStart: { exec: { command: ['x'] } } }])
    const restartPolicy = choose(['Always', 'OnFailure', 'Never'])
    const a = { name: 'a', ...(Object.keys(lifecycle).length > 0 ? { lifecycle } : {}) }
    const isRegular = kind === 'regular'
    const pod = aPod({
      restartPolicy,
      containers: isRegular ? [a, { name: 'b' }] : [{ name: 'b' }],
      ...(kind === 'init' ? { initContainers: [a] } : {}),
      ...(kind === 'sidecar' ? { initContainers: [{ ...a, restartPolicy: 'Always' }] } : {}),
    })
    cases.push({ script: { death, exitCode }, pod, kind })
  })
  for (const { script, pod, kind } of cases) {
    const world = new World(script)
    const plan = await world.settle(pod)
    const { reported, runtime } = world.memory
    const what = JSON.stringify({ script, kind, policy: pod.spec.restartPolicy })
    const running = runtime.containers.filter(({ state }) => state === 'running')
    if (plan.phase === 'stopped') {
      expect([what, running.length]).toEqual([what, 0])
      expect(['Succeeded', 'Failed']).toContain(reported.phase!)
    } else if (kind !== 'init') expect([what, world.starts.includes('b')]).toEqual([what, true])
    expect(reported.containerStatuses).toHaveLength(pod.spec.containers.length)
    // What may be restarted runs in the end.
    if (pod.spec.restartPolicy === 'Always' && kind !== 'init') {
      expect([what, running.map(({ name }) => name).toSorted()]).toEqual([what, ['a', 'b']])
    }
  }
  expect(cases).toHaveLength(252)
})
