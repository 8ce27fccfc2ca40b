// Carries out the actions of a plan. It knows how, never whether.

import type { Runtime } from '../../runtime/contract.ts'
import type { TokenSource } from '../../volumes/contract.ts'
import type { EnvView } from '../env/env.ts'
import type { Action } from '../plan/pod-seen.ts'
import { type ConfigDeps, containerConfig, sandboxConfig } from './container-config.ts'
import { runHook } from './hooks.ts'
import { findImage, type ImageFinderDeps } from './image-finder.ts'
import type { Job } from './pod-worker.ts'
import type { Result } from './pod-worker-state.ts'

export type PerformDeps = ConfigDeps &
  ImageFinderDeps & {
    readonly runtime: Runtime
    readonly tokens: TokenSource
    /** Throws when the pod asks for a runtime that this node has not. */
    readonly checkRuntimeClass: (pod: Job['pod'], signal: AbortSignal) => Promise<void>
    /** What variables and files of the pod are made from, now. */
    readonly view: (job: Job) => EnvView
  }

export async function perform(deps: PerformDeps, job: Job, signal: AbortSignal): Promise<Result> {
  const { action, pod } = job
  const { runtime, volumes } = deps
  signal.throwIfAborted()
  switch (action.do) {
    case 'prepare-volumes':
      await volumes.prepare({ ...deps.view(job), tokens: deps.tokens }, signal)
      return undefined
    case 'remove-volumes':
      await volumes.remove(pod.metadata.uid!)
      return undefined
    case 'create-sandbox':
      await deps.checkRuntimeClass(pod, signal)
      return runtime.createSandbox(pod, await sandboxConfig(deps.settings, pod), signal)
    case 'remove-sandbox':
      await runtime.removeSandbox(pod.metadata.uid!, signal)
      return undefined
    case 'find-image':
      return findImage(deps, pod, action.container, job.events, signal)
    case 'start':
      return start(deps, job, action, signal)
    case 'post-start':
    case 'pre-stop':
      await hook(deps, job, action, signal)
      return undefined
    case 'stop':
      await runtime.stopContainer(action.id, action.graceSeconds, signal)
      return undefined
    case 'remove':
      await runtime.removeContainer(action.id, { logs: action.logs }, signal)
      return undefined
  }
}

async function start(
  deps: PerformDeps,
  job: Job,
  action: Extract<Action, { do: 'start' }>,
  signal: AbortSignal,
): Promise<Result> {
  const config = await containerConfig(deps, deps.view(job), action, signal)
  const seen = await deps.runtime.startContainer(config, signal)
  job.events.normal('Created', 'Container created', action.container.name)
  job.events.normal('Started', 'Container started', action.container.name)
  return seen
}

async function hook(
  deps: PerformDeps,
  { podIps }: Job,
  action: Extract<Action, { do: 'post-start' | 'pre-stop' }>,
  signal: AbortSignal,
): Promise<void> {
  const { container, id } = action
  const { postStart, preStop } = container.lifecycle ?? {}
  const handler = action.do === 'post-start' ? postStart : preStop
  if (handler === undefined) return
  await runHook(deps, handler, { containerId: id, container, podIp: podIps[0] ?? '' }, signal)
}
