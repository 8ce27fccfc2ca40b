// Tells systemd that the start is over. Nothing happens where nobody asked.

import type { Processes } from '../lib/process.ts'
import { hasNotifySocket } from './config.ts'

/** `systemd-notify` speaks to the socket that systemd named in the environment. */
export async function notifyReady(processes: Processes, signal: AbortSignal): Promise<void> {
  if (!hasNotifySocket()) return
  await processes.run(['systemd-notify', '--ready'], signal)
}
