// The join token that a server begins with: the one from the settings, or one of its own making.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { Secret } from '../api/schema/generated/types.ts'
import { isAlreadyExists } from '../api/status.ts'
import type { Client } from '../kit/client.ts'
import { isMissing, readFileIfAny, writeFileAtomic } from '../lib/files.ts'
import { describeError } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import { UserError } from '../lib/user-error.ts'
import {
  type BootstrapToken,
  createJoinToken,
  formatBootstrapToken,
  formatJoinToken,
  hashOfCa,
  type JoinToken,
  parseBootstrapToken,
  parseJoinToken,
} from '../pki/tokens.ts'
import type { Settings } from './options.ts'

export type ServerTokenOptions = {
  settings: Pick<Settings, 'token' | 'token-file'>
  /** Where the token is kept for whoever may read the server's state. */
  path: string
  caPem: string
  client: Client
  random: Random
}

/** Throws UserError for a token that this server could not begin with. Writes nothing. */
export async function checkServerToken(
  settings: ServerTokenOptions['settings'],
  pkiDir: string,
): Promise<void> {
  const told = await toldToken(settings)
  if (told === undefined || parseBootstrapToken(told)) return
  const { caHash, id, secret } = parseJoinToken(told)
  const caPem = await readFileIfAny(join(pkiDir, 'ca.crt'))
  if (caPem !== undefined && hashOfCa(caPem) === caHash) return
  throw new UserError(
    '--token: it was made by another cluster than that of this server: give ' +
      `${formatBootstrapToken({ id, secret })}, or leave the option out to have one made`,
  )
}

/** Makes sure that agents can join with it, for as long as nobody deletes its Secret. */
export async function ensureJoinToken(
  options: ServerTokenOptions,
  signal: AbortSignal,
): Promise<void> {
  const { path, caPem, client, random } = options
  const told = await toldToken(options.settings)
  const kept = await readFileIfAny(path)
  const token = told
    ? parseServerToken(told, caPem)
    : kept
      ? parseJoinToken(kept.trim())
      : createJoinToken(random, caPem)
  const text = `${formatJoinToken(token)}\n`
  if (kept === text) return
  const secret = serverTokenSecret(token, told ? 'given' : 'made')
  try {
    await client.create(secrets, secret, signal)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    const { metadata, stringData } = secret
    const where = { namespace: metadata!.namespace!, name: metadata!.name! }
    const { annotations } = metadata!
    const body = { metadata: { annotations }, stringData }
    await client.patch(secrets, where, { type: 'merge', body }, signal)
  }
  await writeFileAtomic(path, text)
}

/** Whether the server made its own token, or was given it: `kedge token rotate` asks. */
export const SERVER_TOKEN = 'kedge.dev/server-token'

export function serverTokenSecret(token: BootstrapToken, origin: 'given' | 'made'): Secret {
  const description = 'The token that this server started with.'
  const { metadata, ...secret } = tokenSecret(token, { description })
  return { ...secret, metadata: { ...metadata, annotations: { [SERVER_TOKEN]: origin } } }
}

/** The Secret by which the API knows a token; `more` are further fields of it. */
export function tokenSecret({ id, secret }: BootstrapToken, more: Record<string, string>): Secret {
  return {
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      ...more,
    },
  }
}

/** The text of --token or --token-file. */
export async function toldToken(
  settings: Pick<Settings, 'token' | 'token-file'>,
): Promise<string | undefined> {
  if (settings.token !== undefined) return settings.token
  const file = settings['token-file']
  if (file === undefined) return undefined
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    const why = isMissing(error) ? 'there is no such file' : describeError(error)
    throw new UserError(`--token-file ${file}: cannot be read: ${why}: name a readable file`)
  }
}

/** A server may be told the whole token or only its last part: it knows its own CA. */
function parseServerToken(text: string, caPem: string): JoinToken {
  const short = parseBootstrapToken(text)
  return short ? { ...short, caHash: hashOfCa(caPem) } : parseJoinToken(text)
}
