// The API as the administrator of this machine's kubeconfig, for commands that change the cluster.

import { readFile } from 'node:fs/promises'
import { loadAll } from 'js-yaml'
import { ApiError } from '../api/status.ts'
import { whyUnreachable } from '../daemon/unreachable.ts'
import type { Client } from '../kit/client.ts'
import { createClient } from '../kit/client-impl.ts'
import { remoteTransport } from '../kit/transport-remote.ts'
import { type Clock, SystemClock } from '../lib/clock.ts'
import { isMissing } from '../lib/files.ts'
import { UserError } from '../lib/user-error.ts'

export type Admin = { client: Client; clock: Clock; caPem: string }

/** Runs `body`; what the server refuses, and a server that is away, become a UserError. */
export async function asAdmin<T>(
  kubeconfig: string,
  body: (admin: Admin, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { url, ...credentials } = await readKubeconfig(kubeconfig)
  const clock = new SystemClock()
  const transport = remoteTransport({
    url: () => url,
    credentials: () => credentials,
    userAgent: 'kedge',
    clock,
  })
  const { signal } = new AbortController()
  try {
    return await body({ client: createClient(transport), clock, caPem: credentials.ca }, signal)
  } catch (error) {
    if (error instanceof UserError) throw error
    const why = error instanceof ApiError ? error.message : whyUnreachable(error)
    throw new UserError(`the server at ${url}: ${why}`)
  }
}

/** The parts of an admin kubeconfig that we write ourselves. */
async function readKubeconfig(path: string) {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const why = isMissing(error) ? 'there is no such file' : reasonOf(error)
    throw new UserError(`--kubeconfig ${path}: ${why}: run this on the server, as root`)
  }
  try {
    // biome-ignore lint/suspicious/noExplicitAny: what is missing here fails in the lines below.
    const config = loadAll(text)[0] as any
    const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster
    const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user
    return { url: String(server), ca: atob(ca), cert: atob(cert), key: atob(key) }
  } catch {
    // Any fault here means the same to the person.
    throw new UserError(`--kubeconfig ${path}: is not the kubeconfig that kedge server writes`)
  }
}

/** `permission denied`, without Node's code and path. */
function reasonOf(error: unknown): string {
  const [, reason] = /^[A-Z]+: ([^,]+),/.exec(String((error as Error).message)) ?? []
  return reason ?? String(error)
}
