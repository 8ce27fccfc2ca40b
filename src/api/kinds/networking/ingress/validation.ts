// What an Ingress must be (pkg/apis/networking/validation).

import {
  dnsLabelFaults,
  dnsSubdomainFaults,
  isPathSegmentName,
  portNameFaults,
  portNumberFaults,
  wildcardSubdomainFaults,
} from '../../../names.ts'
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressServiceBackend,
  IngressTLS,
  TypedLocalObjectReference,
} from '../../../schema/generated/types.ts'
import { checkIp, familyOf } from '../../../validation/addresses.ts'
import { FieldErrors } from '../../../validation/field-errors.ts'

/** How the class was said before there was a field for it. */
export const OLD_CLASS = 'kubernetes.io/ingress.class'

const NOT_AN_IP = 'must be a DNS name, not an IP address'

/** What an update forgives, because it was accepted before. */
type Forgiven = { secretNames: boolean; wildcardRules: boolean }

export function checkIngress(faults: FieldErrors, ingress: Ingress, old: Ingress | undefined) {
  checkSpec(faults, ingress.spec, forgivenBy(old))
  if (old === undefined) checkClassNamedTwice(faults, ingress)
}

function forgivenBy(old: Ingress | undefined): Forgiven {
  const { tls = [], rules = [] } = old?.spec ?? {}
  const isFaulty = (rule: IngressRule) => {
    const before = new FieldErrors()
    checkHttp(before, '', rule)
    return before.list.length > 0
  }
  return {
    secretNames: tls.some(({ secretName }) => secretFaults(secretName).length > 0),
    wildcardRules: rules.some((rule) => rule.host?.includes('*') && isFaulty(rule)),
  }
}

function checkClassNamedTwice(faults: FieldErrors, { metadata, spec }: Ingress) {
  const name = metadata.annotations?.[OLD_CLASS]
  if (name === undefined || spec.ingressClassName === undefined) return
  if (name === spec.ingressClassName) return
  const detail = 'must match `ingressClassName` when both are specified'
  faults.invalid(`annotations.${OLD_CLASS}`, name, detail)
}

function checkSpec(faults: FieldErrors, spec: Ingress['spec'], forgiven: Forgiven) {
  const { defaultBackend, rules = [], tls = [], ingressClassName } = spec
  if (rules.length === 0 && defaultBackend === undefined) {
    faults.invalid('spec', null, 'either `defaultBackend` or `rules` must be specified')
  }
  if (defaultBackend !== undefined) checkBackend(faults, 'spec.defaultBackend', defaultBackend)
  for (const [index, rule] of rules.entries()) {
    checkRule(faults, `spec.rules[${index}]`, rule, forgiven)
  }
  for (const [index, one] of tls.entries()) checkTls(faults, `spec.tls[${index}]`, one, forgiven)
  if (ingressClassName === undefined) return
  faults.invalidAll('spec.ingressClassName', ingressClassName, dnsSubdomainFaults(ingressClassName))
}

function hostFaults(host: string): readonly string[] {
  return host.includes('*') ? wildcardSubdomainFaults(host) : dnsSubdomainFaults(host)
}

function checkRule(
  faults: FieldErrors,
  at: string,
  rule: IngressRule,
  { wildcardRules }: Forgiven,
) {
  const host = rule.host ?? ''
  if (host !== '') {
    if (familyOf(host) !== undefined) faults.invalid(`${at}.host`, host, NOT_AN_IP)
    faults.invalidAll(`${at}.host`, host, hostFaults(host))
  }
  if (!(wildcardRules && host.includes('*'))) checkHttp(faults, at, rule)
}

function checkHttp(faults: FieldErrors, at: string, { http }: IngressRule) {
  if (http === undefined) return
  const paths = http.paths ?? []
  if (paths.length === 0) faults.required(`${at}.http.paths`)
  for (const [index, path] of paths.entries()) {
    checkPath(faults, `${at}.http.paths[${index}]`, path)
  }
}

const FORBIDDEN_PARTS = ['//', '/./', '/../', '%2f', '%2F']
const FORBIDDEN_ENDS = ['/..', '/.']

function checkPath(
  faults: FieldErrors,
  at: string,
  { path = '', pathType, backend }: HTTPIngressPath,
) {
  if ((pathType as string | null | undefined) == null) {
    return faults.required(`${at}.pathType`, 'pathType must be specified')
  }
  const isFree = pathType === 'ImplementationSpecific'
  if (!isFree && pathType !== 'Exact' && pathType !== 'Prefix') {
    const known = ['Exact', 'ImplementationSpecific', 'Prefix']
    faults.notSupported(`${at}.pathType`, pathType, known)
  } else {
    if (!path.startsWith('/') && !(isFree && path === '')) {
      faults.invalid(`${at}.path`, path, 'must be an absolute path')
    }
    if (!isFree) checkPathParts(faults, `${at}.path`, path)
  }
  checkBackend(faults, `${at}.backend`, backend ?? {})
}

function checkPathParts(faults: FieldErrors, at: string, path: string) {
  for (const part of FORBIDDEN_PARTS) {
    if (path.includes(part)) faults.invalid(at, path, `must not contain '${part}'`)
  }
  for (const end of FORBIDDEN_ENDS) {
    if (path.endsWith(end)) faults.invalid(at, path, `cannot end with '${end}'`)
  }
}

function checkBackend(faults: FieldErrors, at: string, { resource, service }: IngressBackend) {
  if (resource !== undefined && service !== undefined) {
    faults.invalid(at, '', 'cannot set both resource and service backends')
  } else if (resource !== undefined) checkReference(faults, `${at}.resource`, resource)
  else if (service !== undefined) checkService(faults, at, service)
  else faults.invalid(at, '', 'resource or service backend is required')
}

function checkService(faults: FieldErrors, at: string, service: IngressServiceBackend) {
  const path = `${at}.service.name`
  if (!service.name) faults.required(path)
  else faults.invalidAll(path, service.name, dnsLabelFaults(service.name))
  const { name = '', number = 0 } = service.port ?? {}
  if (name !== '' && number !== 0) {
    faults.invalid(at, '', 'cannot set both port name & port number')
  } else if (name !== '') {
    faults.invalidAll(`${at}.service.port.name`, name, portNameFaults(name))
  } else if (number !== 0) {
    faults.invalidAll(`${at}.service.port.number`, number, portNumberFaults(number))
  } else faults.required(at, 'port name or number is required')
}

function checkReference(faults: FieldErrors, at: string, reference: TypedLocalObjectReference) {
  const { apiGroup } = reference
  if (apiGroup !== undefined) {
    faults.invalidAll(`${at}.apiGroup`, apiGroup, dnsSubdomainFaults(apiGroup))
  }
  for (const field of ['kind', 'name'] as const) {
    const value = reference[field]
    if (!value) faults.required(`${at}.${field}`)
    else faults.invalidAll(`${at}.${field}`, value, isPathSegmentName(value, false))
  }
}

function checkTls(faults: FieldErrors, at: string, tls: IngressTLS, { secretNames }: Forgiven) {
  for (const [index, host] of (tls.hosts ?? []).entries()) {
    faults.invalidAll(`${at}.hosts[${index}]`, host, hostFaults(host))
  }
  if (secretNames) return
  faults.invalidAll(`${at}.secretName`, tls.secretName, secretFaults(tls.secretName))
}

function secretFaults(name: string | undefined): readonly string[] {
  return name ? dnsSubdomainFaults(name) : []
}

export function checkIngressStatus(
  faults: FieldErrors,
  { status }: Ingress,
  old: Ingress | undefined,
) {
  const before = (old?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip || [])
  for (const [index, end] of (status?.loadBalancer?.ingress ?? []).entries()) {
    const at = `status.loadBalancer.ingress[${index}]`
    if (end.ip) checkIp(faults, `${at}.ip`, end.ip, before)
    if (!end.hostname) continue
    faults.invalidAll(`${at}.hostname`, end.hostname, dnsSubdomainFaults(end.hostname))
    if (familyOf(end.hostname) === undefined) continue
    faults.invalid(`${at}.hostname`, end.hostname, NOT_AN_IP)
  }
}
