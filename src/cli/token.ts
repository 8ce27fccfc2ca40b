// `kedge token create`: a bootstrap token, printed with the hash of the cluster's CA.

import { readFile } from 'node:fs/promises'
import { loadAll } from 'js-yaml'
import { parseDuration } from '../api/duration.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { Secret } from '../api/schema/generated/types.ts'
import { ApiError } from '../api/status.ts'
import { tokenSecret } from '../daemon/server-token.ts'
import { whyUnreachable } from '../daemon/unreachable.ts'
import type { Client } from '../kit/client.ts'
import { createClient } from '../kit/client-impl.ts'
import { remoteTransport } from '../kit/transport-remote.ts'
import { SystemClock } from '../lib/clock.ts'
import { isMissing } from '../lib/files.ts'
import { SystemRandom } from '../lib/random.ts'
import { UserError } from '../lib/user-error.ts'
import { createJoinToken, formatJoinToken } from '../pki/tokens.ts'
import type { Output } from './output.ts'

export type TokenOptions = { ttl: string; description?: string; kubeconfig: string }

type Admin = { url: string; ca: string; cert: string; key: string }

export async function createToken(options: TokenOptions, output: Output): Promise<void> {
  const ttlMs = ttlOf(options.ttl)
  const admin = await readKubeconfig(options.kubeconfig)
  const clock = new SystemClock()
  const transport = remoteTransport({
    url: () => admin.url,
    credentials: () => admin,
    userAgent: 'kedge',
    clock,
  })
  const token = createJoinToken(new SystemRandom(), admin.ca)
  const expiration = new Date(clock.nowMs() + ttlMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const secret = tokenSecret(token, {
    ...(ttlMs === 0 ? {} : { expiration }),
    ...(options.description === undefined ? {} : { description: options.description }),
  })
  await createSecret(createClient(transport), secret, admin.url)
  output.write(`${formatJoinToken(token)}\n`)
}

async function createSecret(client: Client, secret: Secret, url: string): Promise<void> {
  const never = new AbortController().signal
  try {
    await client.create(secrets, secret, never)
  } catch (error) {
    const why = error instanceof ApiError ? error.message : whyUnreachable(error)
    throw new UserError(`the server at ${url}: ${why}`)
  }
}

function ttlOf(text: string): number {
  if (text === '0') return 0
  try {
    const ms = parseDuration(text)
    if (ms > 0) return ms
  } catch {
    // Whatever is wrong with it, the way out is the same.
  }
  throw new UserError(`--ttl: "${text}" is not valid: give a duration such as 24h, or 0 for ever`)
}

/** The parts of an admin kubeconfig that we write ourselves. */
async function readKubeconfig(path: string): Promise<Admin> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const why = isMissing(error) ? 'there is no such file' : String(error)
    throw new UserError(`--kubeconfig ${path}: ${why}: run this on the server, as root`)
  }
  try {
    // biome-ignore lint/suspicious/noExplicitAny: what is missing here fails in the lines below.
    const config = loadAll(text)[0] as any
    const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster
    const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user
    return { url: server, ca: atob(ca), cert: atob(cert), key: atob(key) }
  } catch {
    // Any fault here means the same to the person.
    throw new UserError(`--kubeconfig ${path}: is not the kubeconfig that kedge server writes`)
  }
}
