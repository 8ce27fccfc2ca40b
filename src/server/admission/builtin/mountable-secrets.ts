// A service account that says so lets its pods use no Secrets but those that it lists itself.
// (upstream plugin ServiceAccount, the part that checks)

import type { Container, Pod, ServiceAccount } from '../../../api/schema/generated/types.ts'

const ANNOTATION = 'kubernetes.io/enforce-mountable-secrets'
/** What Go takes for true. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True']

export function enforcesSecrets({ metadata }: ServiceAccount): boolean {
  return TRUE.includes(metadata?.annotations?.[ANNOTATION] ?? '')
}

/** What of a new pod its account does not allow, in upstream's words; undefined when it is fine. */
export function secretFault({ spec }: Pod, account: ServiceAccount): string | undefined {
  const lists = listedBy(account)
  const volume = spec.volumes?.find(({ secret }) => secret && !lists.has(secret.secretName ?? ''))
  if (volume !== undefined) {
    const what = `volume with secret.secretName="${volume.secret?.secretName ?? ''}"`
    return `${what} is not allowed because ${doesNotList(account)}`
  }
  const { initContainers = [], containers, imagePullSecrets = [] } = spec
  const fault =
    containersFault('init container', initContainers, account) ??
    containersFault('container', containers, account)
  if (fault !== undefined) return fault
  const pulls = new Set(account.imagePullSecrets?.map(({ name }) => name))
  const index = imagePullSecrets.findIndex(({ name }) => !pulls.has(name))
  if (index < 0) return undefined
  const what = `imagePullSecrets[${index}].name="${imagePullSecrets[index]!.name ?? ''}"`
  const why = `service account ${account.metadata?.name} does not reference that imagePullSecret`
  return `${what} is not allowed because ${why}`
}

/** The same for containers that are added for debugging. */
export function debugSecretFault({ spec }: Pod, account: ServiceAccount): string | undefined {
  const added = (spec.ephemeralContainers ?? []) as Container[]
  return containersFault('ephemeral container', added, account)
}

function containersFault(
  what: string,
  containers: readonly Container[],
  account: ServiceAccount,
): string | undefined {
  const lists = listedBy(account)
  for (const { name, env = [], envFrom = [] } of containers) {
    for (const { name: variable, valueFrom } of env) {
      const secret = valueFrom?.secretKeyRef
      if (!secret || lists.has(secret.name ?? '')) continue
      return refusal(`${what} ${name} with envVar ${variable}`, secret.name, account)
    }
    for (const { secretRef } of envFrom) {
      if (!secretRef || lists.has(secretRef.name ?? '')) continue
      return refusal(`${what} ${name} with envFrom`, secretRef.name, account)
    }
  }
  return undefined
}

function refusal(who: string, name: string | undefined, account: ServiceAccount): string {
  const what = `${who} referencing secret.secretName="${name ?? ''}"`
  return `${what} is not allowed because ${doesNotList(account)}`
}

function doesNotList({ metadata }: ServiceAccount): string {
  return `service account ${metadata?.name} does not reference that secret`
}

function listedBy({ secrets = [] }: ServiceAccount): Set<string> {
  return new Set(secrets.map(({ name }) => name ?? ''))
}
