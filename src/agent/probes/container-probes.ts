// The probes of one running container: a timer for each, from its start to its end.
//
//   startup ──(success)──► liveness and readiness, each in its own period
//
// The first run comes as soon as the initial delay allows; after a restart of the agent at a random
// moment of the period, so that not all containers of the node are probed at once.

import type { Container, Probe } from '../../api/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import type { Health } from '../plan/pod-seen.ts'
import {
  isSettled,
  noteOutcome,
  type Outcome,
  type ProbeKind,
  type ProbeState,
  UNPROBED,
} from './outcome.ts'

export type ContainerProbesDeps = {
  readonly clock: Clock
  readonly random: Random
  /** Runs a probe once; rejects only when `signal` aborts. */
  readonly run: (probe: Probe, signal: AbortSignal) => Promise<Outcome>
  /** For events. */
  readonly told: (kind: ProbeKind, outcome: Outcome) => void
  /** The health is another one now. */
  readonly changed: () => void
}

export type Adopted = { readonly started: boolean; readonly ready: boolean }

const PERIOD_SECONDS_DEFAULT = 10

export class ContainerProbes {
  readonly #deps: ContainerProbesDeps
  readonly #container: Container
  readonly #startedAtMs: number
  readonly #stop = new AbortController()
  readonly #states = new Map<ProbeKind, ProbeState>()
  readonly #timers = new Map<ProbeKind, () => void>()
  #health: Health
  #isEnding = false

  /** `adopted` when the container ran before this agent: what was known of it then. */
  constructor(
    container: Container,
    startedAtMs: number,
    adopted: Adopted | undefined,
    deps: ContainerProbesDeps,
  ) {
    this.#container = container
    this.#startedAtMs = startedAtMs
    this.#deps = deps
    if (adopted?.started) this.#states.set('startup', { ...UNPROBED, verdict: true })
    if (adopted?.ready) this.#states.set('readiness', { ...UNPROBED, verdict: true })
    this.#health = this.#judge()
    const isAdopted = adopted !== undefined
    if (this.#health.started) this.#beginOthers(isAdopted)
    else this.#begin('startup', isAdopted)
  }

  get health(): Health {
    return this.#health
  }

  /** The pod is being deleted: nothing may be killed for its health any more. */
  end(): void {
    this.#isEnding = true
    for (const kind of ['startup', 'liveness'] as const) this.#timers.get(kind)?.()
  }

  close(): void {
    this.#stop.abort()
    for (const cancel of this.#timers.values()) cancel()
  }

  #probeOf(kind: ProbeKind): Probe | undefined {
    return this.#container[`${kind}Probe`]
  }

  #beginOthers(isAdopted: boolean): void {
    this.#begin('liveness', isAdopted)
    this.#begin('readiness', isAdopted)
  }

  #begin(kind: ProbeKind, isAdopted: boolean): void {
    const probe = this.#probeOf(kind)
    if (probe === undefined) return
    const delayMs = (probe.initialDelaySeconds ?? 0) * 1000
    const elapsedMs = this.#deps.clock.nowMs() - this.#startedAtMs
    const jitterMs = isAdopted ? this.#deps.random.next() * periodMs(probe) : 0
    this.#schedule(kind, probe, Math.max(delayMs - elapsedMs, 0) + jitterMs)
  }

  #schedule(kind: ProbeKind, probe: Probe, inMs: number): void {
    if (this.#stop.signal.aborted || (this.#isEnding && kind !== 'readiness')) return
    const cancel = this.#deps.clock.after(inMs, () => void this.#run(kind, probe))
    this.#timers.set(kind, cancel)
  }

  /** Never rejects: the only error there is comes from the end of the container. */
  async #run(kind: ProbeKind, probe: Probe): Promise<void> {
    const beganMs = this.#deps.clock.monotonicMs()
    const outcome = await this.#deps.run(probe, this.#stop.signal).catch(() => undefined)
    if (outcome === undefined || this.#stop.signal.aborted) return
    if (this.#isEnding && kind !== 'readiness') return
    if (outcome.result !== 'success') this.#deps.told(kind, outcome)
    const state = noteOutcome(this.#states.get(kind) ?? UNPROBED, probe, outcome)
    this.#states.set(kind, state)
    if (!isSettled(kind, state)) {
      const tookMs = this.#deps.clock.monotonicMs() - beganMs
      this.#schedule(kind, probe, Math.max(periodMs(probe) - tookMs, 0))
    } else if (kind === 'startup' && state.verdict) this.#beginOthers(false)
    this.#update()
  }

  #update(): void {
    const before = this.#health
    const now = this.#judge()
    const isSame =
      before.started === now.started && before.ready === now.ready && before.failed === now.failed
    if (isSame) return
    this.#health = now
    this.#deps.changed()
  }

  #judge(): Health {
    const verdictOf = (kind: ProbeKind) => this.#states.get(kind)?.verdict
    const started = this.#container.startupProbe === undefined || verdictOf('startup') === true
    const isReady = this.#container.readinessProbe === undefined || verdictOf('readiness') === true
    const failed = (['startup', 'liveness'] as const).find((kind) => verdictOf(kind) === false)
    return { started, ready: started && isReady, failed }
  }
}

function periodMs({ periodSeconds = PERIOD_SECONDS_DEFAULT }: Probe): number {
  return Math.max(periodSeconds, 1) * 1000
}
