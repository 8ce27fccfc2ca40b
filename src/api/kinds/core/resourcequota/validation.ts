// What a ResourceQuota must be (ValidateResourceQuota of pkg/apis/core/validation).

import { own } from '../../../../lib/own.ts'
import { checkAmount, checkResourceName, isQuotaResource } from '../../../pod/spec/quantities.ts'
import { compareQuantity, parseQuantity } from '../../../quantity.ts'
import type {
  ResourceQuota,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { IMMUTABLE } from '../../../validation/values.ts'

const EXISTENCE_SCOPES = [
  ...['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'],
]
const SCOPES = [...EXISTENCE_SCOPES, 'PriorityClass', 'VolumeAttributesClass']
const COMPUTE = new Set([
  ...['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'],
])
const OF_BEST_EFFORT = new Set(['pods'])
const OF_CLAIMS = new Set(['persistentvolumeclaims', 'requests.storage'])

export function checkQuota(
  faults: FieldErrors,
  { spec = {}, status }: ResourceQuota,
  old: ResourceQuota | undefined,
) {
  checkAmounts(faults, 'spec.hard', spec.hard)
  checkScopes(faults, spec)
  checkScopeSelector(faults, spec)
  if (old === undefined) return checkAmountsOfStatus(faults, status)
  const [scopes, before] = [new Set(spec.scopes), new Set(old.spec?.scopes)]
  if (scopes.size === before.size && scopes.isSubsetOf(before)) return
  faults.invalid('spec.scopes', spec.scopes ?? null, IMMUTABLE)
}

export function checkQuotaStatus(faults: FieldErrors, { metadata, status }: ResourceQuota) {
  if (!metadata.resourceVersion) faults.required('resourceVersion')
  checkAmountsOfStatus(faults, status)
}

function checkAmountsOfStatus(faults: FieldErrors, status: ResourceQuota['status']) {
  checkAmounts(faults, 'status.hard', status?.hard)
  checkAmounts(faults, 'status.used', status?.used)
}

function checkAmounts(
  faults: FieldErrors,
  at: string,
  amounts: Readonly<Record<string, string>> = {},
) {
  for (const [name, text] of Object.entries(amounts)) {
    const path = `${at}[${name}]`
    checkResourceName(faults, path, name)
    if (!name.includes('/') && !isQuotaResource(name)) {
      faults.invalid(path, name, 'must be a standard resource for quota')
    }
    checkAmount(faults, path, name, text)
  }
}

function checkScopes(faults: FieldErrors, { hard, scopes = [] }: ResourceQuotaSpec) {
  const at = 'spec.scopes'
  for (const scope of scopes) {
    if (!SCOPES.includes(scope)) faults.invalid(at, scopes, 'unsupported scope')
    checkApplies(faults, at, { scope, hard, shown: scopes })
  }
  if (areInConflict(scopes)) faults.invalid(at, scopes, 'conflicting scopes')
}

function checkScopeSelector(faults: FieldErrors, spec: ResourceQuotaSpec) {
  const { hard, scopeSelector } = spec
  const requirements = scopeSelector?.matchExpressions ?? []
  const at = 'spec.scopeSelector.matchExpressions'
  for (const requirement of requirements) {
    const { scopeName: scope = '' } = requirement
    if (!SCOPES.includes(scope)) faults.invalid(`${at}.scopeName`, scope, 'unsupported scope')
    checkApplies(faults, at, { scope, hard, shown: shownSelector(requirements) })
    checkOperator(faults, at, requirement)
  }
  if (!areInConflict(requirements.map(({ scopeName }) => scopeName))) return
  faults.invalid(at, spec.scopes ?? null, 'conflicting scopes')
}

const MUST_EXIST = `must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity`

function checkOperator(
  faults: FieldErrors,
  at: string,
  { scopeName, operator = '', values = [] }: ScopedResourceSelectorRequirement,
) {
  if (EXISTENCE_SCOPES.includes(scopeName) && operator !== 'Exists') {
    faults.invalid(`${at}.operator`, operator, MUST_EXIST)
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length > 0) return
    const when = "when `operator` is 'In' or 'NotIn' for scope selector"
    faults.required(`${at}.values`, `must be at least one value ${when}`)
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length === 0) return
    const when = "when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
    faults.invalid(`${at}.values`, values, `must be no value ${when}`)
  } else faults.invalid(`${at}.operator`, operator, 'not a valid selector operator')
}

/** As messages show it: with the names of Go's fields. */
function shownSelector(requirements: readonly ScopedResourceSelectorRequirement[]) {
  const shown = requirements.map(({ scopeName, operator, values }) => ({
    ScopeName: scopeName,
    Operator: operator,
    Values: values ?? null,
  }))
  return { MatchExpressions: shown }
}

type Applied = { scope: string; hard: ResourceQuotaSpec['hard']; shown: unknown }

/** A scope holds for some of the standard resources only, and for all others. */
function checkApplies(faults: FieldErrors, at: string, { scope, hard, shown }: Applied) {
  const allowed = resourcesOf(scope)
  for (const name of Object.keys(hard ?? {})) {
    if (allowed === undefined || !isQuotaResource(name) || allowed.has(name)) continue
    faults.invalid(at, shown, 'unsupported scope applied to resource')
  }
}

/** Undefined for scopes that nobody knows: those have a fault of their own. */
function resourcesOf(scope: string): ReadonlySet<string> | undefined {
  if (scope === 'BestEffort') return OF_BEST_EFFORT
  if (scope === 'VolumeAttributesClass') return OF_CLAIMS
  return SCOPES.includes(scope) ? COMPUTE : undefined
}

function areInConflict(scopes: readonly string[]): boolean {
  const has = (scope: string) => scopes.includes(scope)
  return (
    (has('BestEffort') && has('NotBestEffort')) || (has('Terminating') && has('NotTerminating'))
  )
}

/** Requests above limits. */
export function quotaWarnings({ spec }: ResourceQuota): string[] {
  const { hard } = spec ?? {}
  return ['cpu', 'memory', 'storage', 'ephemeral-storage'].flatMap((name) => {
    const names =
      name === 'cpu' || name === 'memory' ? [`requests.${name}`, name] : [`requests.${name}`]
    const asked = names.find((each) => own(hard, each) !== undefined)
    const [request, limit] = [asked && own(hard, asked), own(hard, `limits.${name}`)]
    if (request === undefined || limit === undefined) return []
    if (compareQuantity(parseQuantity(request), parseQuantity(limit)) <= 0) return []
    return [`ResourceQuota ${asked} (${request}) should be less than limits.${name} (${limit})`]
  })
}
