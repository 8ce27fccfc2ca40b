// Holds pods to the Pod Security Standard that the labels of their namespace name.
// (upstream plugin PodSecurity)
//
//   enforce   a pod that violates it is refused
//   audit     an annotation of the request says so
//   warn      the caller is warned; so are those who write workloads whose pods would violate it

import { namespaces } from '../../../api/kinds/core/namespace/row.ts'
import { type AnyRow, qualifiedResource } from '../../../api/resource.ts'
import type {
  Container,
  Namespace,
  Pod,
  PodTemplateSpec,
} from '../../../api/schema/generated/types.ts'
import { type FieldError, forbidden, internal, invalid } from '../../../api/status.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import { own } from '../../../lib/own.ts'
import type { Store } from '../../../store/store.ts'
import { readObject } from '../../storage/reader.ts'
import type { AdmissionPlugin, Attributes } from '../chain.ts'
import type { PodLike } from './checks.ts'
import type { PodSecuritySettings } from './configuration.ts'
import { detailsText, violationsOf } from './evaluate.ts'
import { evaluationOf, type PolicyObserver, requestOf } from './evaluation.ts'
import { warningsOfExisting } from './existing-pods.ts'
import {
  compareLevels,
  formatLevelVersion,
  isEquivalent,
  isPrivileged,
  isSame,
  type LevelVersion,
  MODES,
  type Mode,
  type Policy,
  PREFIX,
  PRIVILEGED_POLICY,
  policyOf,
} from './policy.ts'

export type PodSecurityDeps = {
  store: Store
  clock: Clock
  log: Log
  settings: PodSecuritySettings
  observer: PolicyObserver
}

/** What of a pod this is no matter of. Any other sub-resource is taken to write the pod. */
const OTHER_SUBRESOURCES = new Set([
  'exec',
  'attach',
  'binding',
  'eviction',
  'log',
  'portforward',
  'proxy',
  'status',
])

const ofSpec = (object: unknown) => (object as { spec?: { template?: unknown } }).spec?.template

/** Where kinds that make pods have the template of them. */
const TEMPLATES = new Map<string, (object: unknown) => unknown>([
  ['podtemplates', (object) => (object as { template?: unknown }).template],
  ['replicationcontrollers', ofSpec],
  ['replicasets.apps', ofSpec],
  ['deployments.apps', ofSpec],
  ['statefulsets.apps', ofSpec],
  ['daemonsets.apps', ofSpec],
  ['jobs.batch', ofSpec],
  [
    'cronjobs.batch',
    (object) => ofSpec((object as { spec?: { jobTemplate?: unknown } }).spec?.jobTemplate),
  ],
])

export function podSecurity(deps: PodSecurityDeps): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    handles: ['CREATE', 'UPDATE'],
    validate(attributes) {
      const { row } = attributes.request
      if (isCore(row, 'pods')) return validatePod(deps, attributes)
      if (isCore(row, 'namespaces')) return validateNamespace(deps, attributes)
      const templateOf = TEMPLATES.get(qualifiedResource(row))
      if (templateOf === undefined || attributes.subresource !== '') return
      const template = templateOf(attributes.object) as PodTemplateSpec | undefined
      validateTemplate(deps, attributes, template)
    },
  }
}

const isCore = ({ group, plural }: AnyRow, wanted: string) => group === '' && plural === wanted

function validatePod(deps: PodSecurityDeps, attributes: Attributes): void {
  if (OTHER_SUBRESOURCES.has(attributes.subresource)) return
  if (isCallerExempt(deps, attributes)) return
  const { policy, errors } = policyIn(deps, attributes.namespace)
  if (errors.length === 0 && isPrivileged(policy)) {
    annotate(attributes, 'enforce-policy', formatLevelVersion(PRIVILEGED_POLICY.enforce))
    const allowed = evaluationOf('allow', 'enforce', policy.enforce)
    deps.observer.evaluated(allowed, requestOf(attributes))
    return
  }
  const pod = attributes.object as unknown as Pod
  if (attributes.operation === 'UPDATE') {
    if (!isSignificant(pod, attributes.old as unknown as Pod)) return
  }
  evaluate(deps, attributes, pod, { policy, errors, enforces: true })
}

/** Workloads are never refused: their pods will be. */
function validateTemplate(
  deps: PodSecurityDeps,
  attributes: Attributes,
  template: PodTemplateSpec | undefined,
): void {
  if (isCallerExempt(deps, attributes)) return
  const { policy, errors } = policyIn(deps, attributes.namespace)
  const isOpen = policy.warn.level === 'privileged' && policy.audit.level === 'privileged'
  if ((errors.length === 0 && isOpen) || template?.spec === undefined) return
  const pod = { metadata: template.metadata ?? {}, spec: template.spec }
  evaluate(deps, attributes, pod, { policy, errors, enforces: false })
}

function isCallerExempt({ settings, observer }: PodSecurityDeps, attributes: Attributes): boolean {
  const { namespaces: exempt, usernames } = settings.exempt
  const why = exempt.has(attributes.namespace)
    ? 'namespace'
    : usernames.has(attributes.request.user.username)
      ? 'user'
      : undefined
  if (why !== undefined) {
    annotate(attributes, 'exempt', why)
    observer.exempted(requestOf(attributes))
  }
  return why !== undefined
}

/** From the store itself: a label counts from the moment that it is written. */
function policyIn({ store, settings }: PodSecurityDeps, name: string) {
  const namespace = readObject<Namespace>(store, namespaces, { name })
  if (namespace === undefined) throw internal(`failed to lookup namespace ${JSON.stringify(name)}`)
  return policyOf(namespace.metadata.labels, settings.defaults)
}

/** Images are what may change in a pod; containers for debugging may be added. */
function isSignificant({ spec }: Pod, { spec: old }: Pod): boolean {
  const hasChanged = (now: readonly Container[] = [], before: readonly Container[] = []) =>
    now.length !== before.length || now.some(({ image }, i) => image !== before[i]!.image)
  if (hasChanged(spec.containers, old.containers)) return true
  if (hasChanged(spec.initContainers, old.initContainers)) return true
  const images = new Map(old.ephemeralContainers?.map(({ name, image }) => [name, image]))
  const { ephemeralContainers = [] } = spec
  return ephemeralContainers.some(
    ({ name, image }) => !images.has(name) || images.get(name) !== image,
  )
}

type Judged = { policy: Policy; errors: readonly FieldError[]; enforces: boolean }

function evaluate(
  { settings, log, observer }: PodSecurityDeps,
  attributes: Attributes,
  pod: PodLike,
  { policy, errors, enforces }: Judged,
): void {
  if (settings.exempt.runtimeClasses.has(pod.spec.runtimeClassName ?? '')) {
    observer.exempted(requestOf(attributes))
    return annotate(attributes, 'exempt', 'runtimeClass')
  }
  if (errors.length > 0)
    annotate(attributes, 'error', `Failed to parse policy: ${aggregate(errors)}`)
  const known = new Map<string, string>()
  const violated = (wanted: LevelVersion): string => {
    const level = formatLevelVersion(wanted)
    const text = known.get(level) ?? detailsText(violationsOf(wanted, pod))
    known.set(level, text)
    return text === '' ? '' : `${JSON.stringify(level)}: ${text}`
  }
  const { request, name } = attributes
  const tell = (decision: 'allow' | 'deny', mode: Mode) =>
    observer.evaluated(evaluationOf(decision, mode, policy[mode]), requestOf(attributes))
  if (enforces) annotate(attributes, 'enforce-policy', formatLevelVersion(policy.enforce))
  const refusal = enforces ? violated(policy.enforce) : ''
  if (enforces) tell(refusal === '' ? 'allow' : 'deny', 'enforce')
  const audited = violated(policy.audit)
  if (audited !== '') {
    tell('deny', 'audit')
    annotate(attributes, 'audit-violations', `would violate PodSecurity ${audited}`)
    const resource = qualifiedResource(request.row)
    const { namespace } = attributes
    log.warn('violates the audited PodSecurity', { resource, namespace, name, policy: audited })
  }
  if (refusal !== '') throw forbidden(request.row, name, `violates PodSecurity ${refusal}`)
  const warned = violated(policy.warn)
  if (warned === '') return
  tell('deny', 'warn')
  request.warnings.push(`would violate PodSecurity ${warned}`)
}

function annotate({ request }: Attributes, key: string, value: string): void {
  request.auditAnnotations.set(PREFIX + key, value)
}

function aggregate(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))]
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`
}

function validateNamespace(deps: PodSecurityDeps, attributes: Attributes): void | Promise<void> {
  const { subresource, operation, request, name } = attributes
  if (subresource !== '') return
  const { defaults } = deps.settings
  const { labels } = (attributes.object as unknown as Namespace).metadata
  const now = policyOf(labels, defaults)
  const refusal = () => invalid({ group: '', kind: request.row.kind }, name, now.errors)
  if (operation === 'CREATE') {
    if (now.errors.length > 0) throw refusal()
    if (deps.settings.exempt.namespaces.has(name)) warnOfExempt(deps, attributes, now.policy)
    return
  }
  const before = policyOf((attributes.old as unknown as Namespace).metadata.labels, defaults)
  // What was wrong before may stay.
  if (now.errors.length > 0 && !Bun.deepEquals(now.errors, before.errors)) throw refusal()
  if (!isStricter(now.policy.enforce, before.policy.enforce)) return
  if (deps.settings.exempt.namespaces.has(name)) {
    return warnOfExempt(deps, attributes, now.policy)
  }
  return warnOfExisting(deps, attributes, now.policy.enforce)
}

function isStricter(now: LevelVersion, before: LevelVersion): boolean {
  if (isSame(now, before) || now.level === 'privileged') return false
  return now.version !== before.version || compareLevels(now.level, before.level) > 0
}

async function warnOfExisting(
  { store, clock, settings }: PodSecurityDeps,
  { request, name }: Attributes,
  enforce: LevelVersion,
): Promise<void> {
  const isExempt = ({ spec }: Pod) =>
    settings.exempt.runtimeClasses.has(spec.runtimeClassName ?? '')
  request.warnings.push(...(await warningsOfExisting({ store, clock, isExempt }, name, enforce)))
}

function warnOfExempt(
  { settings }: PodSecurityDeps,
  { request, object, name }: Attributes,
  policy: Policy,
): void {
  if (isPrivileged(policy) || isEquivalent(policy, settings.defaults)) return
  const labels = (object as unknown as Namespace).metadata.labels ?? {}
  const said = MODES.filter((mode) => {
    const keys = [`${PREFIX}${mode}`, `${PREFIX}${mode}-version`]
    const isSaid = keys.some((key) => own(labels, key) !== undefined)
    return isSaid && policy[mode].level !== 'privileged'
  })
  const text = said.map((mode) => `${mode}=${formatLevelVersion(policy[mode])}`).join(', ')
  const what = `is exempt from Pod Security, and the policy (${text}) will be ignored`
  request.warnings.push(`namespace ${JSON.stringify(name)} ${what}`)
}
