// The probes of one running container: a timer for each, from its start to its end.
//
//   startup ──(success)──► liveness and readiness, each in its own period
//
//   start ─► 0 ─► .1 s ─► .3 s ─► .7 s ─► … ─► period ─► 2 periods ─► …
//            early runs, only to see success soon │ runs that count
//
// Failures count from the end of the first period (or of the initial delay, if that is longer): a
// container that is slow to start has as long as `failureThreshold` times the period. After a
// restart of the agent probes begin at a random moment of the period, so that not all containers of
// the node are probed at once.

import type { Container, Probe } from '../../api/schema/generated/types.ts'
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
/** Between the first early run and the second; each distance is twice the one before. */
const EARLY_MS_MIN = 100

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
    const inMs = Math.max(delayMs - elapsedMs, 0)
    if (isAdopted) {
      this.#schedule(kind, probe, inMs + this.#deps.random.next() * periodMs(probe))
      return
    }
    if (kind === 'liveness') {
      this.#schedule(kind, probe, Math.max(Math.max(delayMs, periodMs(probe)) - elapsedMs, 0))
      return
    }
    const regularInMs = Math.max(inMs, periodMs(probe))
    this.#runEarly(kind, probe, { inMs, regularInMs, gapMs: EARLY_MS_MIN })
  }

  /** Runs that only look for success, until the first that counts is due. */
  #runEarly(
    kind: ProbeKind,
    probe: Probe,
    { inMs, regularInMs, gapMs }: { inMs: number; regularInMs: number; gapMs: number },
  ): void {
    if (inMs >= regularInMs) {
      this.#schedule(kind, probe, regularInMs)
      return
    }
    const { clock } = this.#deps
    const regularAtMs = clock.monotonicMs() + regularInMs
    this.#after(kind, inMs, async () => {
      const outcome = await this.#ask(kind, probe)
      if (outcome === undefined) return
      const isGood = outcome.result === 'success' || outcome.result === 'warning'
      // A startup probe that fails is fatal in the end: what came early must not count.
      if (isGood || kind === 'readiness') this.#note(kind, probe, outcome)
      if (isSettled(kind, this.#stateOf(kind))) return
      const leftMs = Math.max(regularAtMs - clock.monotonicMs(), 0)
      if (this.#stateOf(kind).verdict === true) this.#schedule(kind, probe, periodMs(probe))
      else this.#runEarly(kind, probe, { inMs: gapMs, regularInMs: leftMs, gapMs: gapMs * 2 })
    })
  }

  #schedule(kind: ProbeKind, probe: Probe, inMs: number): void {
    this.#after(kind, inMs, () => this.#run(kind, probe))
  }

  /** `run` never rejects. */
  #after(kind: ProbeKind, inMs: number, run: () => Promise<void>): void {
    if (this.#isOver(kind)) return
    this.#timers.set(
      kind,
      this.#deps.clock.after(inMs, () => void run()),
    )
  }

  #isOver(kind: ProbeKind): boolean {
    return this.#stop.signal.aborted || (this.#isEnding && kind !== 'readiness')
  }

  async #run(kind: ProbeKind, probe: Probe): Promise<void> {
    const beganMs = this.#deps.clock.monotonicMs()
    const outcome = await this.#ask(kind, probe)
    if (outcome === undefined) return
    if (outcome.result !== 'success') this.#deps.told(kind, outcome)
    this.#note(kind, probe, outcome)
    if (isSettled(kind, this.#stateOf(kind))) return
    const tookMs = this.#deps.clock.monotonicMs() - beganMs
    this.#schedule(kind, probe, Math.max(periodMs(probe) - tookMs, 0))
  }

  /** Undefined when nobody wants to know any more: the only error there is comes from the end. */
  async #ask(kind: ProbeKind, probe: Probe): Promise<Outcome | undefined> {
    const outcome = await this.#deps.run(probe, this.#stop.signal).catch(() => undefined)
    return this.#isOver(kind) ? undefined : outcome
  }

  #note(kind: ProbeKind, probe: Probe, outcome: Outcome): void {
    const state = noteOutcome(this.#stateOf(kind), probe, outcome)
    this.#states.set(kind, state)
    if (kind === 'startup' && state.verdict) this.#beginOthers(false)
    this.#update()
  }

  #stateOf(kind: ProbeKind): ProbeState {
    return this.#states.get(kind) ?? UNPROBED
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
    const verdictOf = (kind: ProbeKind) => this.#stateOf(kind).verdict
    const started = this.#container.startupProbe === undefined || verdictOf('startup') === true
    const isReady = this.#container.readinessProbe === undefined || verdictOf('readiness') === true
    const failed = (['startup', 'liveness'] as const).find((kind) => verdictOf(kind) === false)
    return { started, ready: started && isReady, failed }
  }
}

function periodMs({ periodSeconds = PERIOD_SECONDS_DEFAULT }: Probe): number {
  return Math.max(periodSeconds, 1) * 1000
}
