// Finds the image that a container starts from: here already, or pulled. Back-off is the plan's.

import { formatDuration } from '../../api/duration.ts'
import { ContainerError } from '../../api/pod/container-error.ts'
import type { Container, Pod, Secret } from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ImageSeen, ImageStore } from '../../runtime/contract.ts'
import { credentialsFor } from './credentials.ts'
import type { PodEvents } from './pod-events.ts'

export type ImageFinderDeps = {
  readonly images: ImageStore
  readonly clock: Clock
  readonly secretsOf: (pod: Pod, signal: AbortSignal) => Promise<readonly Secret[]>
}

/** Throws ContainerError with the reason that the container waits for. */
export async function findImage(
  deps: ImageFinderDeps,
  pod: Pod,
  container: Container,
  events: PodEvents,
  signal: AbortSignal,
): Promise<ImageSeen> {
  const image = container.image ?? ''
  try {
    const policy = container.imagePullPolicy ?? policyFor(image)
    const here = policy === 'Always' ? undefined : await deps.images.find(image, signal)
    if (here !== undefined) {
      const text = 'already present on machine and can be accessed by the pod'
      events.normal('Pulled', `Container image "${image}" ${text}`, container.name)
      return here
    }
    if (policy === 'Never') throw neverHere(image, events, container.name)
    return await pull(deps, pod, container, events, signal)
  } catch (error) {
    signal.throwIfAborted()
    const reason = error instanceof ContainerError ? error.reason : 'ErrImagePull'
    if (reason === 'InvalidImageName') {
      events.warning('InspectFailed', messageOf(error), container.name)
    }
    events.warning('Failed', `Error: ${reason}`, container.name)
    throw error
  }
}

/** What the API server defaults to, for pods that did not go through it. */
function policyFor(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1)
  const isLatest = !name.includes('@') && (!name.includes(':') || name.endsWith(':latest'))
  return isLatest ? 'Always' : 'IfNotPresent'
}

function neverHere(image: string, events: PodEvents, name: string): ContainerError {
  const message = `Container image "${image}" is not present with pull policy of Never`
  events.warning('ErrImageNeverPull', message, name)
  return new ContainerError('ErrImageNeverPull', message)
}

async function pull(
  deps: ImageFinderDeps,
  pod: Pod,
  { image = '', name }: Container,
  events: PodEvents,
  signal: AbortSignal,
): Promise<ImageSeen> {
  const beganMs = deps.clock.monotonicMs()
  const credentials = credentialsFor(image, await deps.secretsOf(pod, signal))
  events.normal('Pulling', `Pulling image "${image}"`, name)
  const pulledFromMs = deps.clock.monotonicMs()
  try {
    const seen = await deps.images.pull(image, credentials, signal)
    const nowMs = deps.clock.monotonicMs()
    const took = formatDuration(Math.trunc(nowMs - pulledFromMs))
    const inAll = formatDuration(Math.trunc(nowMs - beganMs))
    const size = `Image size: ${seen.sizeBytes} bytes.`
    const text = `Successfully pulled image "${image}" in ${took} (${inAll} including waiting).`
    events.normal('Pulled', `${text} ${size}`, name)
    return seen
  } catch (error) {
    signal.throwIfAborted()
    const isName = error instanceof ContainerError && error.reason === 'InvalidImageName'
    if (!isName) {
      events.warning('Failed', `Failed to pull image "${image}": ${messageOf(error)}`, name)
    }
    throw error
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
