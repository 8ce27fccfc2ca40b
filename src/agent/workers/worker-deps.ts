// What every worker is given: built once, from the parts of the agent.

import { ContainerError } from '../../api/pod/container-error.ts'
import type { Node, Service } from '../../api/schema/generated/types.ts'
import type { Client } from '../../kit/client.ts'
import type { Recorder } from '../../kit/events.ts'
import type { Informer } from '../../kit/informer.ts'
import { type Clock, timeLimit } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { ImageStore, Runtime } from '../../runtime/contract.ts'
import type { TokenSource } from '../../volumes/contract.ts'
import type { PodVolumes } from '../../volumes/volumes.ts'
import type { EnvView } from '../env/env.ts'
import type { Objects } from '../objects.ts'
import { ContainerProbes } from '../probes/container-probes.ts'
import type { Outcome, ProbeKind } from '../probes/outcome.ts'
import { runProbe } from '../probes/run-probe.ts'
import type { NodeSettings } from '../settings.ts'
import type { StatusReporter } from '../status/reporter.ts'
import { logPath } from './container-config.ts'
import { type PerformDeps, perform } from './perform.ts'
import type { Job, ProbeJob, WorkerDeps } from './pod-worker.ts'
import { checkRuntimeClass } from './runtime-class.ts'
import { terminationMessage } from './termination-message.ts'

export type WorkerParts = {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly recorder: Recorder
  readonly runtime: Runtime
  readonly images: ImageStore
  readonly settings: NodeSettings
  readonly volumes: PodVolumes
  readonly objects: Objects
  readonly tokens: TokenSource
  readonly reporter: StatusReporter
  readonly services: Informer<Service>
  readonly node: () => Node | undefined
}

/** Without the Services a container would miss variables for ever; but not at any price. */
const SERVICES_WAIT_MS = 5_000

export function workerDeps(parts: WorkerParts): WorkerDeps {
  const { runtime, settings, volumes } = parts
  const performDeps: PerformDeps = {
    ...parts,
    view: (job) => viewOf(parts, job),
    checkRuntimeClass: (pod, signal) => checkRuntimeClass(parts.client, pod, signal),
    secretsOf: async (pod, signal) => {
      const names = (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => name ?? [])
      const { namespace } = pod.metadata
      const found = await Promise.all(
        names.map((name) => parts.objects.wholeSecret(namespace!, name, signal)),
      )
      return found.filter((secret) => secret !== undefined)
    },
  }
  return {
    ...parts,
    hostIps: settings.addresses,
    observe: (uid, signal) => runtime.observe(uid, signal),
    perform: async (job, signal) => {
      if (job.action.do === 'start') await servicesKnown(parts, signal)
      return perform(performDeps, job, signal)
    },
    probes: (job) => probesOf(parts, job),
    terminationMessage: (pod, container, seen) =>
      terminationMessage(container, seen, {
        message: volumes.terminationPath(pod, container.name, seen.attempt),
        log: logPath(settings, pod, container.name, seen.attempt),
      }),
    report: (pod, status, isOver) => parts.reporter.report(pod, status, isOver),
  }
}

function viewOf({ settings, services, objects, node }: WorkerParts, job: Job): EnvView {
  return {
    pod: job.pod,
    podIps: job.podIps,
    hostIps: settings.addresses,
    allocatable: node()?.status?.allocatable ?? {},
    services: services.lister.all(),
    objects,
  }
}

/** Those of the last start will do when there is no server. */
async function servicesKnown({ services, clock }: WorkerParts, signal: AbortSignal): Promise<void> {
  if (services.isSynced || services.lister.size > 0) return
  const limit = timeLimit(clock, SERVICES_WAIT_MS, signal)
  try {
    await services.synced(limit.signal)
  } catch (error) {
    signal.throwIfAborted()
    const message = 'services have not yet been read at least once, cannot construct envvars'
    throw new ContainerError('CreateContainerConfigError', message, { cause: error })
  } finally {
    limit.done()
  }
}

function probesOf({ clock, random, runtime }: WorkerParts, job: ProbeJob): ContainerProbes {
  const { container, seen, adopted, changed } = job
  return new ContainerProbes(container, seen.startedAtMs ?? seen.createdAtMs, adopted, {
    clock,
    random,
    changed,
    told: (kind, outcome) => tellProbe(job, kind, outcome),
    run: (probe, signal) => {
      const target = { containerId: seen.id, container, podIp: job.podIp() }
      return runProbe({ runtime, clock }, probe, target, signal)
    },
  })
}

const KIND_NAMES = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' }

function tellProbe({ container, events }: ProbeJob, kind: ProbeKind, outcome: Outcome): void {
  const name = KIND_NAMES[kind]
  const { result, output } = outcome
  switch (result) {
    case 'warning':
      return events.warning('ProbeWarning', `${name} probe warning: ${output}`, container.name)
    case 'failure':
      return events.warning('Unhealthy', `${name} probe failed: ${output}`, container.name)
    case 'error': {
      const text = `${name} probe errored and resulted in unknown state: ${output}`
      return events.warning('Unhealthy', text, container.name)
    }
  }
}
