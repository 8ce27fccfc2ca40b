// What a PriorityLevelConfiguration must be (pkg/apis/flowcontrol/validation).

import { internalForm } from '../../../pod/internal-form.ts'
import type {
  ExemptPriorityLevelConfiguration,
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { mandatoryLevel } from '../bootstrap.ts'

type Spec = PriorityLevelConfiguration['spec']

const QUEUES_MAX = 10_000_000
/** Bits that the hands of flows are dealt from. */
const HASH_BITS = 60
const PRESERVE_ZERO = 'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares'
const NOT_NEGATIVE = 'must be a non-negative integer'

export function checkPriorityLevel(
  faults: FieldErrors,
  { metadata, spec }: PriorityLevelConfiguration,
) {
  const name = metadata.name ?? ''
  if (metadata.annotations?.[PRESERVE_ZERO] !== undefined) {
    faults.forbidden('metadata.annotations', `annotation '${PRESERVE_ZERO}' is forbidden`)
  }
  checkSpec(faults, name, spec ?? { type: '' })
  checkFixed(faults, name, spec)
}

/** What `exempt` lends is for the operator to say; all else of the mandatory ones is fixed. */
function checkFixed(faults: FieldErrors, name: string, spec: Spec) {
  const wanted = mandatoryLevel(name)?.spec
  if (wanted === undefined) return
  const isExempt = name === 'exempt'
  const compared = isExempt ? { ...spec, exempt: wanted.exempt } : spec
  if (Bun.deepEquals(compared, wanted)) return
  const but = isExempt ? " except the 'spec.exempt' field" : ''
  const shown = internalForm('PriorityLevelConfigurationSpec', spec)
  faults.invalid('spec', shown, `spec of '${name}'${but} must equal the fixed value`)
}

function checkSpec(faults: FieldErrors, name: string, { type, limited, exempt }: Spec) {
  const at = 'spec.type'
  if ((name === 'exempt') !== (type === 'Exempt')) {
    faults.invalid(at, type, "must be 'Exempt' if and only if `name` is 'exempt'")
  }
  if (type === 'Exempt') {
    if (limited) faults.forbidden('spec.limited', 'must be nil if the type is not Limited')
    if (exempt) checkExempt(faults, 'spec.exempt', exempt)
  } else if (type === 'Limited') {
    if (exempt) faults.forbidden('spec.exempt', 'must be nil if the type is Limited')
    if (limited) checkLimited(faults, 'spec.limited', limited)
    else faults.required('spec.limited', 'must not be empty when type is Limited')
  } else if (!type) faults.required(at)
  else faults.notSupported(at, type, ['Exempt', 'Limited'])
}

function checkExempt(faults: FieldErrors, at: string, exempt: ExemptPriorityLevelConfiguration) {
  const { nominalConcurrencyShares: shares = 0, lendablePercent } = exempt
  if (shares < 0) faults.invalid(`${at}.nominalConcurrencyShares`, shares, NOT_NEGATIVE)
  checkPercent(faults, `${at}.lendablePercent`, lendablePercent)
}

function checkLimited(faults: FieldErrors, at: string, limited: LimitedPriorityLevelConfiguration) {
  const { nominalConcurrencyShares: shares = 0, borrowingLimitPercent: borrowing = 0 } = limited
  if (shares < 0) faults.invalid(`${at}.nominalConcurrencyShares`, shares, NOT_NEGATIVE)
  checkResponse(faults, `${at}.limitResponse`, limited.limitResponse ?? { type: '' })
  checkPercent(faults, `${at}.lendablePercent`, limited.lendablePercent)
  if (borrowing >= 0) return
  faults.invalid(`${at}.borrowingLimitPercent`, borrowing, `if specified, ${NOT_NEGATIVE}`)
}

function checkPercent(faults: FieldErrors, at: string, percent = 0) {
  if (percent >= 0 && percent <= 100) return
  faults.invalid(at, percent, 'must be between 0 and 100, inclusive')
}

function checkResponse(faults: FieldErrors, at: string, { type, queuing }: LimitResponse) {
  const path = `${at}.queuing`
  if (type === 'Reject') {
    if (queuing === undefined) return
    faults.forbidden(path, 'must be nil if limited.limitResponse.type is not Limited')
  } else if (type === 'Queue') {
    if (queuing !== undefined) return checkQueuing(faults, path, queuing)
    faults.required(path, 'must not be empty if limited.limitResponse.type is Limited')
  } else if (!type) faults.required(`${at}.type`)
  else faults.notSupported(`${at}.type`, type, ['Queue', 'Reject'])
}

function checkQueuing(faults: FieldErrors, at: string, queuing: QueuingConfiguration) {
  const { queueLengthLimit: length = 0, queues = 0, handSize = 0 } = queuing
  if (length <= 0) faults.invalid(`${at}.queueLengthLimit`, length, 'must be positive')
  if (queues <= 0) faults.invalid(`${at}.queues`, queues, 'must be positive')
  else if (queues > QUEUES_MAX) {
    faults.invalid(`${at}.queues`, queues, `must not be greater than ${QUEUES_MAX}`)
  }
  const path = `${at}.handSize`
  if (handSize <= 0) return faults.invalid(path, handSize, 'must be positive')
  if (handSize > queues) {
    return faults.invalid(path, handSize, `should not be greater than queues (${queues})`)
  }
  if (Math.ceil(Math.log2(queues) * handSize) <= HASH_BITS) return
  const what = `required entropy bits of deckSize ${queues} and handSize ${handSize}`
  faults.invalid(path, handSize, `${what} should not be greater than ${HASH_BITS}`)
}
