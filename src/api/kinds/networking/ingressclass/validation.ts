// What an IngressClass must be (pkg/apis/networking/validation).

import { dnsLabelFaults, dnsSubdomainFaults, isPathSegmentName } from '../../../names.ts'
import type {
  IngressClass,
  IngressClassParametersReference,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { IMMUTABLE } from '../../../validation/values.ts'

const CONTROLLER_BYTES_MAX = 250

export function checkIngressClass(
  faults: FieldErrors,
  { spec }: IngressClass,
  old: IngressClass | undefined,
) {
  const { controller = '', parameters } = spec
  const at = 'spec.controller'
  if (old !== undefined && old.spec.controller !== controller) {
    faults.invalid(at, controller, IMMUTABLE)
  }
  if (Buffer.byteLength(controller) > CONTROLLER_BYTES_MAX) {
    faults.tooLong(at, CONTROLLER_BYTES_MAX)
  }
  checkDomainPath(faults, at, controller)
  if (parameters !== undefined) checkParameters(faults, 'spec.parameters', parameters)
}

const PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"
const PATH_RE = new RegExp(`^${PATH}$`)

/** `acme.io/foo`: a domain, and what it pleases. */
function checkDomainPath(faults: FieldErrors, at: string, text: string) {
  if (text === '') return faults.required(at)
  const slash = text.indexOf('/')
  const [domain, path] = [text.slice(0, slash), text.slice(slash + 1)]
  if (slash <= 0 || path === '') {
    return faults.invalid(at, text, 'must be a domain-prefixed path (such as "acme.io/foo")')
  }
  faults.invalidAll(at, domain, dnsSubdomainFaults(domain))
  if (PATH_RE.test(path)) return
  faults.invalid(at, path, `Invalid path (regex used for validation is '${PATH}')`)
}

function checkParameters(
  faults: FieldErrors,
  at: string,
  parameters: IngressClassParametersReference,
) {
  const { apiGroup, scope, namespace } = parameters
  if (apiGroup !== undefined) {
    faults.invalidAll(`${at}.apiGroup`, apiGroup, dnsSubdomainFaults(apiGroup))
  }
  for (const field of ['kind', 'name'] as const) {
    const value = parameters[field]
    if (!value) faults.required(`${at}.${field}`)
    else faults.invalidAll(`${at}.${field}`, value, isPathSegmentName(value, false))
  }
  if (scope === undefined) return faults.required(`${at}.scope`)
  if (scope !== 'Cluster' && scope !== 'Namespace') {
    return faults.notSupported(`${at}.scope`, scope, ['Cluster', 'Namespace'])
  }
  if (scope === 'Cluster') {
    if (namespace === undefined) return
    return faults.forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'")
  }
  if (namespace === undefined) {
    return faults.required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'")
  }
  faults.invalidAll(`${at}.namespace`, namespace, dnsLabelFaults(namespace))
}
