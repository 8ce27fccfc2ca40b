// Fills Secrets that ask for a token of a ServiceAccount, and removes them with their account.
//
// Nobody needs such a Secret in a new cluster (pods get tokens that end by themselves), but tools
// from outside still ask for one. Its token is bound to the Secret and dies with it.

import { secrets } from '../../api/kinds/core/secret/row.ts'
import { serviceAccounts } from '../../api/kinds/core/serviceaccount/row.ts'
import type { Secret, ServiceAccount, TokenRequest } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import {
  type Controller,
  defineController,
  indexing,
  type Kit,
  watching,
} from '../../kit/controller.ts'

const TYPE = 'kubernetes.io/service-account-token'
const NAME = 'kubernetes.io/service-account.name'
const UID = 'kubernetes.io/service-account.uid'
const BY_ACCOUNT = 'account'
/** Ten years: such tokens never ended before, and the API signs none without an end. */
const LIFE_SECONDS = 10 * 365 * 24 * 3600

export function tokenSecretController(rootCa: () => string): Controller<Secret> {
  return defineController<Secret>({
    name: 'tokens-controller',
    reconciles: secrets,
    workers: 1,
    only: [{ row: secrets, selection: { fieldSelector: `type=${TYPE}` } }],
    indexes: [
      indexing(secrets, BY_ACCOUNT, ({ metadata }) => [
        `${metadata.namespace}/${metadata.annotations?.[NAME] ?? ''}`,
      ]),
    ],
    watches: [
      watching(serviceAccounts, ({ metadata }, list) =>
        list(secrets)
          .by(BY_ACCOUNT, `${metadata.namespace}/${metadata.name}`)
          .map((secret) => `${secret.metadata.namespace}/${secret.metadata.name}`),
      ),
    ],

    async reconcile(secret, kit, signal) {
      const { annotations = {}, deletionTimestamp } = secret.metadata
      if (secret.type !== TYPE || !annotations[NAME] || deletionTimestamp !== undefined) return
      const account = await accountOf(secret, kit, signal)
      if (account === undefined) {
        await kit.writer.remove(secrets, secret, {}, signal)
        return
      }
      const known = secret.data ?? {}
      const token = known.token ?? base64(await tokenFor(secret, account, kit, signal))
      const namespace = base64(secret.metadata.namespace ?? '')
      const data = { ...known, token, namespace, 'ca.crt': base64(rootCa()) }
      const edit = (draft: Secret) => {
        draft.data = data
        draft.metadata.annotations = { ...annotations, [UID]: account.metadata.uid ?? '' }
      }
      await kit.writer.change(secrets, secret, edit, signal)
    },
  })
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

/** Asked of the server before a Secret is removed for want of it. */
async function accountOf(
  { metadata }: Secret,
  { list, client }: Kit,
  signal: AbortSignal,
): Promise<ServiceAccount | undefined> {
  const { namespace = '', annotations = {} } = metadata
  const name = annotations[NAME] ?? ''
  const isMeant = (account: ServiceAccount) =>
    annotations[UID] === undefined || annotations[UID] === account.metadata.uid
  const cached = list(serviceAccounts).get(`${namespace}/${name}`)
  if (cached !== undefined && isMeant(cached)) return cached
  try {
    const account = await client.get(serviceAccounts, { namespace, name }, signal)
    return isMeant(account) ? account : undefined
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function tokenFor(
  { metadata }: Secret,
  account: ServiceAccount,
  { client }: Kit,
  signal: AbortSignal,
): Promise<string> {
  const { name = '', namespace } = account.metadata
  const boundObjectRef = {
    kind: 'Secret',
    apiVersion: 'v1',
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
  }
  const spec = { audiences: [], expirationSeconds: LIFE_SECONDS, boundObjectRef }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec }
  const where = { namespace, name, subresource: 'token' }
  const { status } = await client.post<TokenRequest>(serviceAccounts, where, body, signal)
  if (!status?.token) throw new Error('request token: the answer holds none')
  return status.token
}
