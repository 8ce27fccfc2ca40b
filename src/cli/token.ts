// `kedge token`: bootstrap tokens, each printed with the hash of the cluster's CA.

import { humanDuration, parseDuration } from '../api/duration.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { Secret } from '../api/schema/generated/types.ts'
import { isNotFound } from '../api/status.ts'
import { formatTime, parseTime } from '../api/time.ts'
import { loadSettings, type RawSettings } from '../daemon/config.ts'
import { pathsOf } from '../daemon/paths.ts'
import { SERVER_TOKEN, serverTokenSecret, tokenSecret } from '../daemon/server-token.ts'
import { readFileIfAny, writeFileAtomic } from '../lib/files.ts'
import { SystemRandom } from '../lib/random.ts'
import { UserError } from '../lib/user-error.ts'
import { createJoinToken, formatJoinToken, parseJoinToken, tokenIdOf } from '../pki/tokens.ts'
import { type Admin, asAdmin } from './admin.ts'
import { formatTable, type Output } from './output.ts'

type Where = { kubeconfig: string }

const NAMESPACE = 'kube-system'
const TYPE = 'bootstrap.kubernetes.io/token'

export async function createToken(
  options: Where & { ttl: string; description?: string },
  output: Output,
): Promise<void> {
  const ttlMs = ttlOf(options.ttl)
  await asAdmin(options.kubeconfig, async ({ client, clock, caPem }, signal) => {
    const token = createJoinToken(new SystemRandom(), caPem)
    const secret = tokenSecret(token, {
      ...(ttlMs === 0 ? {} : { expiration: formatTime(clock.nowMs() + ttlMs) }),
      ...(options.description === undefined ? {} : { description: options.description }),
    })
    await client.create(secrets, secret, signal)
    output.write(`${formatJoinToken(token)}\n`)
  })
}

export async function listTokens({ kubeconfig }: Where, output: Output): Promise<void> {
  await asAdmin(kubeconfig, async ({ client, clock }, signal) => {
    const query = { namespace: NAMESPACE, fieldSelector: `type=${TYPE}` }
    const { items } = await client.list(secrets, query, signal)
    output.write(formatTable([COLUMNS, ...items.map((secret) => rowOf(secret, clock.nowMs()))]))
  })
}

const COLUMNS = ['ID', 'TTL', 'EXPIRES', 'DESCRIPTION']

function rowOf(secret: Secret, nowMs: number): string[] {
  const read = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
  const [expires, description] = [read('expiration'), read('description')]
  return [read('token-id'), ttlText(expires, nowMs), expires || '<never>', description || '<none>']
}

function ttlText(expires: string, nowMs: number): string {
  if (expires === '') return '<forever>'
  try {
    const leftMs = parseTime(expires) - nowMs
    return leftMs > 0 ? humanDuration(leftMs) : '<expired>'
  } catch {
    // Such a token is no longer taken; the column beside shows what is written there.
    return '<invalid>'
  }
}

/** By its id, or the whole of it. */
export async function deleteToken(text: string, where: Where, output: Output): Promise<void> {
  const id = tokenIdOf(text)
  if (id === undefined) {
    throw new UserError(`"${text}" is no token: give its id, as kedge token list shows it`)
  }
  await asAdmin(where.kubeconfig, async ({ client }, signal) => {
    const name = `bootstrap-token-${id}`
    try {
      await client.delete(secrets, { namespace: NAMESPACE, name }, {}, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
      throw new UserError(`there is no token ${id}: see kedge token list`)
    }
    output.write(`token ${id} is deleted: machines that have joined stay\n`)
  })
}

/** Another token in the place of the one that the server made for itself. */
export async function rotateToken(
  flags: RawSettings,
  options: Where & { config?: string },
  output: Output,
): Promise<void> {
  const { settings } = await loadSettings('server', flags, options.config)
  const path = pathsOf(settings).server.token
  const kept = await readFileIfAny(path)
  if (kept === undefined) {
    throw new UserError(`${path}: there is no such file: run this on the server, as root`)
  }
  const old = parseJoinToken(kept.trim())
  await asAdmin(options.kubeconfig, async (admin, signal) => {
    await requireOwn(admin, old.id, signal)
    const token = createJoinToken(new SystemRandom(), admin.caPem)
    await admin.client.create(secrets, serverTokenSecret(token, 'made'), signal)
    await writeFileAtomic(path, `${formatJoinToken(token)}\n`)
    const where = { namespace: NAMESPACE, name: `bootstrap-token-${old.id}` }
    await admin.client.delete(secrets, where, {}, signal).catch((error) => {
      if (!isNotFound(error)) throw error
    })
    output.write(`${formatJoinToken(token)}\n`)
  })
}

/** A token that somebody chose is kept by whoever chose it: the next start would bring it back. */
async function requireOwn({ client }: Admin, id: string, signal: AbortSignal): Promise<void> {
  const where = { namespace: NAMESPACE, name: `bootstrap-token-${id}` }
  const secret = await client.get(secrets, where, signal).catch((error) => {
    if (isNotFound(error)) return undefined
    throw error
  })
  if (secret?.metadata.annotations?.[SERVER_TOKEN] !== 'given') return
  throw new UserError(
    'this server was given its token with KEDGE_TOKEN, --token or a file: change it there, ' +
      `restart kedge, and run kedge token delete ${id}`,
  )
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
