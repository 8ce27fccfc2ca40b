// Every pod runs as a service account, and finds its token where clients look for it.
// (upstream plugin ServiceAccount)

import type { Container, Pod, ServiceAccount, Volume } from '../../../api/schema/generated/types.ts'
import type { Clock } from '../../../lib/clock.ts'
import { type Random, randomSuffix } from '../../../lib/random.ts'
import { referencesOf } from '../../authz/pod-references.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'
import { debugSecretFault, enforcesSecrets, secretFault } from './mountable-secrets.ts'

const DEFAULT_NAME = 'default'
const MIRROR = 'kubernetes.io/config.mirror'
export const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'
/** One hour, and a sign for those who look that upstream's extension applies. */
const EXPIRATION_SECONDS = 3607
/** The account of a new namespace is made by a controller: wait for it a little. */
const ATTEMPTS_MAX = 20
const ATTEMPT_MS = 50

export type ServiceAccountDeps = {
  accounts: KindCache<ServiceAccount>
  clock: Clock
  random: Random
}

export function serviceAccount(deps: ServiceAccountDeps): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    admit(attributes) {
      if (!isNewPod(attributes)) return
      const pod = attributes.object as unknown as Pod
      if (pod.metadata.annotations?.[MIRROR] !== undefined) return checkMirror(attributes, pod)
      if (!pod.spec?.serviceAccountName) {
        pod.spec!.serviceAccountName = DEFAULT_NAME
        pod.spec!.serviceAccount = DEFAULT_NAME
      }
      const account = find(deps, attributes, pod)
      if (account !== undefined) return equip(deps, pod, account)
      return waitFor(deps, attributes, pod).then((found) => equip(deps, pod, found))
    },
    validate(attributes) {
      const isDebugged = isDebug(attributes)
      if (!isNewPod(attributes) && !isDebugged) return
      const pod = attributes.object as unknown as Pod
      if (!isDebugged && pod.metadata.annotations?.[MIRROR] !== undefined) return
      const account = find(deps, attributes, pod)
      if (account === undefined) throw noAccount(attributes, pod)
      if (!enforcesSecrets(account)) return
      const fault = isDebugged ? debugSecretFault(pod, account) : secretFault(pod, account)
      if (fault !== undefined) throw refused(attributes, fault)
    },
  }
}

function isNewPod({ request: { row }, operation, subresource }: Attributes): boolean {
  return operation === 'CREATE' && row.plural === 'pods' && row.group === '' && subresource === ''
}

function isDebug({ request: { row }, operation, subresource }: Attributes): boolean {
  if (row.plural !== 'pods' || row.group !== '') return false
  return operation === 'UPDATE' && subresource === 'ephemeralcontainers'
}

function checkMirror(attributes: Attributes, pod: Pod): void {
  if (pod.spec?.serviceAccountName) {
    throw refused(attributes, 'a mirror pod may not reference service accounts')
  }
  if (referencesOf(pod).some((reference) => reference.startsWith('secrets/'))) {
    throw refused(attributes, 'a mirror pod may not reference secrets')
  }
  const projects = (pod.spec?.volumes ?? []).some(({ projected }) =>
    projected?.sources?.some((source) => source.serviceAccountToken !== undefined),
  )
  if (projects) {
    throw refused(attributes, 'a mirror pod may not use ServiceAccountToken volume projections')
  }
}

function find({ accounts }: ServiceAccountDeps, { namespace }: Attributes, pod: Pod) {
  return accounts.get({ namespace, name: pod.spec!.serviceAccountName! })
}

async function waitFor(deps: ServiceAccountDeps, attributes: Attributes, pod: Pod) {
  const name = pod.spec!.serviceAccountName!
  const { signal } = attributes.request.call
  for (let attempt = 0; name === DEFAULT_NAME && attempt < ATTEMPTS_MAX; attempt++) {
    await deps.clock.sleep(ATTEMPT_MS, signal)
    const account = find(deps, attributes, pod)
    if (account !== undefined) return account
  }
  throw noAccount(attributes, pod)
}

function noAccount(attributes: Attributes, { spec }: Pod) {
  const name = spec?.serviceAccountName ?? ''
  const lookup = `error looking up service account ${attributes.namespace}/${name}`
  return refused(attributes, `${lookup}: serviceaccount ${JSON.stringify(name)} not found`)
}

function equip({ random }: ServiceAccountDeps, pod: Pod, account: ServiceAccount): void {
  const spec = pod.spec!
  const mounts = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
  if (mounts) mountToken(pod, random)
  if ((spec.imagePullSecrets ?? []).length === 0 && account.imagePullSecrets?.length) {
    spec.imagePullSecrets = account.imagePullSecrets.map(({ name }) => ({ name: name ?? '' }))
  }
}

/** A pod that brings a volume of this kind keeps its own. */
function mountToken({ spec }: Pod, random: Random): void {
  const containers: Container[] = [...(spec!.initContainers ?? []), ...(spec!.containers ?? [])]
  const bare = containers.filter(
    ({ volumeMounts = [] }) => !volumeMounts.some(({ mountPath }) => mountPath === TOKEN_PATH),
  )
  if (bare.length === 0) return
  const own = spec!.volumes?.find(({ name }) => name.startsWith('kube-api-access-'))
  const name = own?.name ?? `kube-api-access-${randomSuffix(random)}`
  for (const container of bare) {
    const mount = { name, readOnly: true, mountPath: TOKEN_PATH }
    container.volumeMounts = [...(container.volumeMounts ?? []), mount]
  }
  if (own === undefined) spec!.volumes = [...(spec!.volumes ?? []), tokenVolume(name)]
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: EXPIRATION_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [
              {
                path: 'namespace',
                fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' },
              },
            ],
          },
        },
      ],
      defaultMode: 0o644,
    },
  }
}
