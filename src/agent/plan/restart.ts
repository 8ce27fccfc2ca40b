// Whether a container that has ended runs again, and when. Pure.
//
// The first restart comes at once; later ones wait 10 s, 20 s, … 300 s after the exit. A container
// that ran for 10 minutes begins anew (client-go flowcontrol.Backoff as the kubelet uses it).

import type { Container, Pod } from '../../api/schema/generated/types.ts'
import type { ContainerSeen } from '../../runtime/contract.ts'
import type { RestartSeen } from './pod-seen.ts'

const DELAY_FIRST_MS = 10_000
const DELAY_MAX_MS = 300_000
const FORGET_MS = 2 * DELAY_MAX_MS

/** KEP-5307: rules of the container first, then its own policy, then that of the pod. */
export function mayRestart(pod: Pod, container: Container, exitCode: number): boolean {
  for (const rule of container.restartPolicyRules ?? []) {
    if (rule.exitCodes === undefined) continue
    const isListed = rule.exitCodes.values?.includes(exitCode) ?? false
    if (isListed === (rule.exitCodes.operator === 'In')) return true
  }
  switch (container.restartPolicy ?? pod.spec.restartPolicy) {
    case 'Never':
      return false
    case 'OnFailure':
      return exitCode !== 0
    default:
      return true
  }
}

/** Wall time before which the next attempt may not start. */
export function restartAtMs(last: RestartSeen | undefined, ended: ContainerSeen): number {
  const exitedAtMs = ended.exitedAtMs ?? ended.createdAtMs
  if (last === undefined || isForgotten(last, exitedAtMs)) return 0
  return exitedAtMs + last.delayMs
}

/** What to remember of a restart that happens now, after an exit at `exitedAtMs`. */
export function noteRestart(
  last: RestartSeen | undefined,
  exitedAtMs: number,
  nowMs: number,
): RestartSeen {
  const isFirst = last === undefined || isForgotten(last, exitedAtMs)
  const delayMs = isFirst ? DELAY_FIRST_MS : Math.min(last.delayMs * 2, DELAY_MAX_MS)
  return { delayMs, atMs: nowMs }
}

function isForgotten(last: RestartSeen, exitedAtMs: number): boolean {
  return exitedAtMs - last.atMs > FORGET_MS
}
