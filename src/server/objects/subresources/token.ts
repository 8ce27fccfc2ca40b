// serviceaccounts/token: a token for an account, bound to a pod, a node or a Secret if asked.

import { nodes } from '../../../api/kinds/core/node/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { secrets } from '../../../api/kinds/core/secret/row.ts'
import { serviceAccounts } from '../../../api/kinds/core/serviceaccount/row.ts'
import type { KubeObject } from '../../../api/object.ts'
import type { ResourceRow } from '../../../api/resource.ts'
import type { Pod, ServiceAccount, TokenRequest } from '../../../api/schema/generated/types.ts'
import {
  badRequest,
  conflict,
  type FieldError,
  fieldError,
  invalid,
  notFound,
} from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import type { BoundObject, TokenDraft } from '../../../pki/service-account.ts'
import type { BodyType } from '../../request/decode.ts'
import type { ResourceRequest } from '../../server.ts'
import { readObject } from '../../storage/reader.ts'
import type { Action } from './action.ts'

const TOKEN_REQUEST: BodyType = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  type: 'io.k8s.api.authentication.v1.TokenRequest',
}
const NAMED = { group: TOKEN_REQUEST.group, plural: TOKEN_REQUEST.kind }

const SECONDS_DEFAULT = 3600
const SECONDS_MIN = 600
const SECONDS_MAX = 2 ** 32
/** What pods ask for by themselves; such tokens live for a year, but ought to be renewed sooner. */
const WARN_AFTER_SECONDS = 3607
const EXTENDED_SECONDS = 365 * 24 * 3600
/** Nobody gets a longer one, unless it is bound to a Secret, which can be deleted. */
const SECONDS_GIVEN_MAX = EXTENDED_SECONDS

export const tokenRequest: Action = {
  body: TOKEN_REQUEST,
  keepsUid: true,
  defaults(body) {
    const { spec } = body as unknown as TokenRequest
    spec.expirationSeconds ??= SECONDS_DEFAULT
  },
  steps({ request, body }) {
    const asked = body as unknown as TokenRequest
    const { tokens } = request.server.pki
    let account: ServiceAccount
    return {
      prepare() {
        matchName(request, asked)
        account = read(request, serviceAccounts, request.info.name)
        complete(request, asked, account)
        const errors = faultsOf(asked)
        if (errors.length > 0) throw invalid(TOKEN_REQUEST, '', errors)
        return body
      },
      store() {
        const boundTo = boundOf(request, asked)
        shorten(request, asked, boundTo)
        const { draft, expiresMs } = draftOf(request, asked, { account, boundTo })
        const expirationTimestamp = formatTime(expiresMs)
        asked.status = { token: tokens.sign(draft), expirationTimestamp }
        return asked
      },
    }
  },
}

function matchName({ info }: ResourceRequest, { metadata: { name } }: TokenRequest): void {
  if (!name || name === info.name) return
  const detail = 'must match the service account name if specified'
  throw invalid(TOKEN_REQUEST, info.name, [fieldError.invalid('metadata.name', name, detail)])
}

function complete({ server, info }: ResourceRequest, asked: TokenRequest, account: KubeObject) {
  const { metadata, spec } = asked
  const { uid } = account.metadata
  if (metadata.uid && metadata.uid !== uid) {
    const why =
      `the UID in the token request (${metadata.uid})` +
      ` does not match the UID of the service account (${uid})`
    throw conflict(NAMED, info.name, why)
  }
  if (!spec.audiences?.length) spec.audiences = [server.issuer]
  Object.assign(metadata, {
    name: info.name,
    namespace: info.namespace,
    uid,
    creationTimestamp: formatTime(server.clock.nowMs()),
  })
}

function faultsOf({ spec }: TokenRequest): FieldError[] {
  const seconds = spec.expirationSeconds ?? 0
  const field = 'spec.expirationSeconds'
  if (seconds < SECONDS_MIN) {
    return [fieldError.invalid(field, seconds, 'may not specify a duration less than 10 minutes')]
  }
  if (seconds > SECONDS_MAX) {
    const detail = 'may not specify a duration larger than 2^32 seconds'
    return [fieldError.invalid(field, seconds, detail)]
  }
  return []
}

/** As with upstream's --service-account-max-token-expiration: less is given, with a warning. */
function shorten({ warnings }: ResourceRequest, { spec }: TokenRequest, { secret }: BoundTo) {
  const seconds = spec.expirationSeconds ?? 0
  if (seconds <= SECONDS_GIVEN_MAX || secret !== undefined) return
  const shortened = `shortened to ${SECONDS_GIVEN_MAX} seconds`
  warnings.push(`requested expiration of ${seconds} seconds ${shortened}`)
  spec.expirationSeconds = SECONDS_GIVEN_MAX
}

type Parties = { account: ServiceAccount; boundTo: BoundTo }

function draftOf(request: ResourceRequest, asked: TokenRequest, { account, boundTo }: Parties) {
  const { server, info } = request
  const nowMs = server.clock.nowMs()
  const { audiences = [] } = asked.spec
  const seconds = asked.spec.expirationSeconds ?? SECONDS_DEFAULT
  const isOurs = audiences.every((audience) => audience === server.issuer)
  const isExtended = boundTo.pod !== undefined && seconds === WARN_AFTER_SECONDS && isOurs
  const draft: TokenDraft = {
    issuer: server.issuer,
    namespace: info.namespace,
    audiences,
    boundTo,
    nowMs,
    serviceAccount: boundObject(account),
    expirationSeconds: isExtended ? EXTENDED_SECONDS : seconds,
    ...(isExtended ? { warnAfterSeconds: seconds } : {}),
    id: server.random.uuid(),
  }
  return { draft, expiresMs: nowMs + seconds * 1000 }
}

type BoundTo = NonNullable<TokenDraft['boundTo']>

function boundOf(request: ResourceRequest, { spec }: TokenRequest): BoundTo {
  const bound = spec.boundObjectRef
  if (!bound) return {}
  const { kind = '', name = '', apiVersion = '' } = bound
  const check = (object: KubeObject) => checkUid(bound, kind, object)
  if (apiVersion === 'v1' || apiVersion === '') {
    switch (kind) {
      case 'Pod':
        return podBound(request, check(read(request, pods, name)))
      case 'Secret':
        return { secret: boundObject(check(read(request, secrets, name))) }
      case 'Node':
        return { node: boundObject(check(read(request, nodes, name, ''))) }
    }
  }
  const [version, group = ''] = apiVersion.split('/').reverse()
  const type = `${group}/${version}, Kind=${kind}`
  throw badRequest(`cannot bind token to object of type ${type}`)
}

function podBound(request: ResourceRequest, object: KubeObject): BoundTo {
  const pod = object as Pod
  const { name: account } = request.info
  if (pod.spec.serviceAccountName !== account) {
    const why = 'to pod running with different serviceaccount name.'
    throw badRequest(`cannot bind token for serviceaccount ${JSON.stringify(account)} ${why}`)
  }
  const { nodeName } = pod.spec
  if (!nodeName) return { pod: boundObject(pod) }
  const node = readObject(request.server.store, nodes, { name: nodeName })
  return { pod: boundObject(pod), node: { name: nodeName, uid: node?.metadata.uid ?? '' } }
}

function checkUid<O extends KubeObject>(bound: { uid?: string }, kind: string, object: O): O {
  if (bound.uid && bound.uid !== object.metadata.uid) {
    const why =
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record.` +
      ' The object might have been deleted and then recreated'
    throw conflict({ group: '', plural: kind }, object.metadata.name ?? '', why)
  }
  return object
}

function read<O extends KubeObject>(
  { server, info }: ResourceRequest,
  row: ResourceRow<O>,
  name: string,
  namespace = info.namespace,
): O {
  const object = readObject(server.store, row, { namespace, name })
  if (object === undefined) throw notFound(row, name)
  return object
}

function boundObject({ metadata }: KubeObject): BoundObject {
  return { name: metadata.name ?? '', uid: metadata.uid ?? '' }
}
