// Runs one probe once, within its time limit. Outcomes and texts are the kubelet's.

import { expand } from '../../api/pod/expand.ts'
import type { Container, Probe } from '../../api/schema/generated/types.ts'
import { type Clock, timeLimit } from '../../lib/clock.ts'
import { joinHostPort } from '../../lib/net/dial-error.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { runInContainer } from '../exec.ts'
import { checkHealth, UNIMPLEMENTED } from './grpc.ts'
import { httpGet } from './http.ts'
import type { Outcome } from './outcome.ts'
import { httpTarget, portOf, urlOf } from './target.ts'
import { openTcp } from './tcp.ts'

export type ProbeTarget = {
  readonly containerId: string
  readonly container: Container
  readonly podIp: string
}

export type ProbeDeps = { readonly runtime: Runtime; readonly clock: Clock }

/** An error (not a failure) is tried again at once, as upstream does. */
const TRIES_MAX = 3

export async function runProbe(
  deps: ProbeDeps,
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(deps, probe, target, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (tries < TRIES_MAX) continue
      return { result: 'error', output: error instanceof Error ? error.message : String(error) }
    }
  }
}

async function runOnce(
  deps: ProbeDeps,
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<Outcome> {
  const seconds = probe.timeoutSeconds ?? 1
  const limit = timeLimit(deps.clock, seconds * 1000, signal)
  const run = actionOf(probe)
  try {
    return await run(deps, probe, target, limit.signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!limit.signal.aborted) throw error
    return failure(lateText(probe, target, seconds))
  } finally {
    limit.done()
  }
}

type Run = (
  deps: ProbeDeps,
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
) => Promise<Outcome>

function actionOf({ exec, httpGet: http, tcpSocket, grpc }: Probe): Run {
  if (exec) return probeExec
  if (http) return probeHttp
  if (tcpSocket) return probeTcp
  if (grpc) return probeGrpc
  throw new Error('missing probe handler')
}

const probeExec: Run = async (deps, probe, { container, containerId }, signal) => {
  const wish = { containerId, command: commandOf(probe, container), rest: 'kill' as const }
  const { exitCode, output } = await runInContainer(deps, wish, signal)
  return { result: exitCode === 0 ? 'success' : 'failure', output }
}

/** Only variables with a plain value are known here. */
function commandOf({ exec }: Probe, container: Container): string[] {
  const env = new Map(container.env?.map(({ name, value }) => [name, value]))
  return (exec?.command ?? []).map((word) => expand(word, (name) => env.get(name)))
}

const probeHttp: Run = async (_deps, probe, { container, podIp }, signal) => {
  const target = httpTarget(probe.httpGet!, container, podIp, 'probe')
  try {
    const { code, body } = await httpGet(target, signal)
    if (code < 200 || code >= 400) return failure(`HTTP probe failed with statuscode: ${code}`)
    if (code < 300) return { result: 'success', output: body }
    return { result: 'warning', output: `Probe terminated redirects, Response body: ${body}` }
  } catch (error) {
    return failureOf(error, signal)
  }
}

const probeTcp: Run = async (_deps, probe, { container, podIp }, signal) => {
  const port = portOf(probe.tcpSocket!.port, container)
  try {
    const socket = await openTcp(probe.tcpSocket!.host || podIp, port, signal)
    socket.destroy()
    return { result: 'success', output: '' }
  } catch (error) {
    return failureOf(error, signal)
  }
}

const probeGrpc: Run = async (_deps, probe, { podIp }, signal) => {
  const { port, service = '' } = probe.grpc!
  try {
    const answer = await checkHealth(podIp, port, service, signal)
    if (answer.ok) {
      if (answer.status === 'SERVING') return { result: 'success', output: 'service healthy' }
      return failure(`service unhealthy (responded with "${answer.status}")`)
    }
    if (answer.code !== UNIMPLEMENTED) {
      return failure(`error: health rpc probe failed: ${answer.message}`)
    }
    const what = 'this server does not implement the grpc health protocol (grpc.health.v1.Health)'
    return failure(`error: ${what}: ${answer.message}`)
  } catch (error) {
    if (signal.aborted) throw error
    const where = joinHostPort(podIp, port)
    const why = error instanceof Error ? error.message : String(error)
    return failure(`error: failed to connect service at "${where}": ${why}`)
  }
}

/** What cannot be reached has failed; only a time limit is told by who set it. */
function failureOf(error: unknown, signal: AbortSignal): Outcome {
  if (signal.aborted) throw error
  return failure(error instanceof Error ? error.message : String(error))
}

function failure(output: string): Outcome {
  return { result: 'failure', output }
}

function lateText(probe: Probe, { container, podIp }: ProbeTarget, seconds: number): string {
  if (probe.exec) {
    const command = JSON.stringify(commandOf(probe, container).join(' '))
    return `command timed out: ${command} timed out after ${seconds}s`
  }
  if (probe.httpGet) {
    const url = urlOf(httpTarget(probe.httpGet, container, podIp, 'probe'))
    const why = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    return `Get "${url}": ${why}`
  }
  if (probe.tcpSocket) {
    const { host, port } = probe.tcpSocket
    return `dial tcp ${joinHostPort(host || podIp, portOf(port, container))}: i/o timeout`
  }
  const { port } = probe.grpc!
  const where = joinHostPort(podIp, port)
  return `timeout: failed to connect service "${where}" within ${seconds}s: context deadline exceeded`
}
