// postStart and preStop: what a container asks to be done right after its start and before its end.

import type { Container, LifecycleHandler } from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { runInContainer } from '../exec.ts'
import { httpGet } from '../probes/http.ts'
import { httpTarget, portOf } from '../probes/target.ts'
import { openTcp } from '../probes/tcp.ts'

export type HookTarget = {
  readonly containerId: string
  readonly container: Container
  readonly podIp: string
}

/** Rejects when the hook fails; its text is for the log, as it may hold secrets. */
export async function runHook(
  deps: { readonly runtime: Runtime; readonly clock: Clock },
  { exec, httpGet: http, tcpSocket, sleep }: LifecycleHandler,
  { containerId, container, podIp }: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  if (exec) {
    const wish = { containerId, command: exec.command ?? [], rest: 'release' as const }
    const { exitCode } = await runInContainer(deps, wish, signal)
    if (exitCode !== 0) throw new Error(`hook of ${container.name}: exit code ${exitCode}`)
  } else if (http) {
    // Any answer will do, also a bad one: upstream looks no further.
    await httpGet(httpTarget(http, container, podIp, 'lifecycle'), signal)
  } else if (sleep) {
    await deps.clock.sleep(sleep.seconds * 1000, signal)
  } else if (tcpSocket) {
    const port = portOf(tcpSocket.port, container)
    const socket = await openTcp(tcpSocket.host || podIp, port, signal)
    socket.destroy()
  }
}
