// What a certificate signing request must be, and who may write what into it
// (pkg/apis/certificates/validation).

import { X509Certificate } from 'node:crypto'
import { pemBlocks } from '../../../../lib/pem.ts'
import { dnsLabelFaults, dnsSubdomainFaults } from '../../../names.ts'
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkSupported, sameValue } from '../../../validation/values.ts'
import { requestFault } from './pkcs10.ts'

type Csr = CertificateSigningRequest

const USAGES = [
  ...['any', 'cert sign', 'client auth', 'code signing', 'content commitment', 'crl sign'],
  ...['data encipherment', 'decipher only', 'digital signature', 'email protection'],
  ...['encipher only', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'key agreement'],
  ...['key encipherment', 'microsoft sgc', 'netscape sgc', 'ocsp signing', 's/mime'],
  ...['server auth', 'signing', 'timestamping'],
]
const SECONDS_MIN = 600
const DECISIONS = ['Approved', 'Denied']

export function checkRequest(faults: FieldErrors, request: Csr, old: Csr | undefined) {
  checkWhole(faults, request, old)
  if (old === undefined) return
  checkKept(faults, request, old)
  checkDecisions(faults, request, old)
  checkCertificateKept(faults, request, old)
}

/** Signers write the certificate, once. */
export function checkCertificateStatus(faults: FieldErrors, request: Csr, old: Csr | undefined) {
  checkWhole(faults, request, old)
  if (old === undefined) return
  checkKept(faults, request, old)
  checkDecisions(faults, request, old)
  const [now, before] = [request.status?.certificate ?? '', old.status?.certificate ?? '']
  if (now !== before && before !== '') {
    faults.forbidden('status.certificate', 'updates may not modify existing certificate content')
  }
}

/** Approvers write decisions. */
export function checkApproval(faults: FieldErrors, request: Csr, old: Csr | undefined) {
  checkWhole(faults, request, old)
  if (old === undefined) return
  checkKept(faults, request, old)
  checkCertificateKept(faults, request, old)
}

function checkWhole(faults: FieldErrors, { spec, status }: Csr, old: Csr | undefined) {
  const { request, signerName = '', expirationSeconds } = spec
  const usages = spec.usages ?? []
  const fault = requestFault(request ?? '')
  if (fault !== undefined) faults.invalid('spec.request', request, fault)
  if (usages.length === 0) faults.required('spec.usages')
  for (const [index, usage] of usages.entries()) {
    checkSupported(faults, `spec.usages[${index}]`, usage, USAGES)
  }
  for (const [index, usage] of usages.entries()) {
    if (usages.indexOf(usage) < index) faults.duplicate(`spec.usages[${index}]`, usage)
  }
  if (signerName === 'kubernetes.io/legacy-unknown') {
    const detail = 'the legacy signerName is not allowed via this API version'
    faults.invalid('spec.signerName', signerName, detail)
  } else checkSignerName(faults, 'spec.signerName', signerName)
  if (expirationSeconds !== undefined && expirationSeconds < SECONDS_MIN) {
    const detail = 'may not specify a duration less than 600 seconds (10 minutes)'
    faults.invalid('spec.expirationSeconds', expirationSeconds, detail)
  }
  checkConditions(faults, status?.conditions ?? [])
  const certificate = status?.certificate ?? ''
  if (certificate === (old?.status?.certificate ?? '')) return
  const bad = certificateFault(certificate)
  if (bad !== undefined) faults.invalid('status.certificate', '<certificate data>', bad)
}

const DOMAIN_MAX = 253
const NAME_MAX = 253 + 253 + 63 + 2

function checkSignerName(faults: FieldErrors, at: string, name: string) {
  if (name === '') return faults.required(at)
  const [domain = '', path = '', ...rest] = name.split('/')
  if (rest.length > 0 || !name.includes('/')) {
    const form = "a fully qualified domain and path of the form 'example.com/signer-name'"
    return faults.invalid(at, name, `must be ${form}`)
  }
  if (domain.length > DOMAIN_MAX) faults.tooLong(at, DOMAIN_MAX)
  const labels = domain.split('.')
  checkEach(faults, at, domain, labels, dnsLabelFaults)
  if (labels.length < 2) {
    const detail = 'should be a domain with at least two segments separated by dots'
    faults.invalid(at, domain, detail)
  }
  checkEach(faults, at, path, path.split('.'), dnsSubdomainFaults)
  if (name.length > NAME_MAX) faults.tooLong(at, NAME_MAX)
}

/** The first label that is wrong speaks for the others. */
function checkEach(
  faults: FieldErrors,
  at: string,
  whole: string,
  labels: readonly string[],
  faultsOf: (label: string) => readonly string[],
) {
  const bad = labels.find((label) => faultsOf(label).length > 0)
  if (bad === undefined) return
  faults.invalidAll(
    at,
    whole,
    faultsOf(bad).map((fault) => `validating label "${bad}": ${fault}`),
  )
}

function checkConditions(
  faults: FieldErrors,
  conditions: readonly CertificateSigningRequestCondition[],
) {
  const at = 'status.conditions'
  const seen = new Set<string>()
  for (const [index, { type = '', status }] of conditions.entries()) {
    const path = `${at}[${index}]`
    if (!type) faults.required(`${path}.type`)
    const isFinal = ['Approved', 'Denied', 'Failed'].includes(type)
    if (!status) faults.required(`${path}.status`)
    else {
      checkSupported(
        faults,
        `${path}.status`,
        status,
        isFinal ? ['True'] : ['False', 'True', 'Unknown'],
      )
    }
    const other = DECISIONS.includes(type) ? DECISIONS.find((each) => each !== type) : undefined
    if (other !== undefined && seen.has(other)) {
      faults.invalid(at, type, 'Approved and Denied conditions are mutually exclusive')
    }
    if (seen.has(type)) faults.duplicate(`${path}.type`, type)
    seen.add(type)
  }
}

function conditionsOf(request: Csr, type: string) {
  return (request.status?.conditions ?? []).filter((condition) => condition.type === type)
}

function checkKept(faults: FieldErrors, request: Csr, old: Csr) {
  for (const type of [...DECISIONS, 'Failed']) {
    if (conditionsOf(request, type).length >= conditionsOf(old, type).length) continue
    faults.forbidden('status.conditions', `updates may not remove a condition of type "${type}"`)
  }
}

function checkDecisions(faults: FieldErrors, request: Csr, old: Csr) {
  for (const type of DECISIONS) {
    const [now, before] = [conditionsOf(request, type), conditionsOf(old, type)]
    if (now.length > before.length) {
      faults.forbidden('status.conditions', `updates may not add a condition of type "${type}"`)
    } else if (now.length === before.length && !sameValue(now, before)) {
      const detail = `updates may not modify a condition of type "${type}"`
      faults.forbidden('status.conditions', detail)
    }
  }
}

function checkCertificateKept(faults: FieldErrors, request: Csr, old: Csr) {
  if ((request.status?.certificate ?? '') === (old.status?.certificate ?? '')) return
  faults.forbidden('status.certificate', 'updates may not set certificate content')
}

/** `base64` is base64 of PEM. */
function certificateFault(base64: string): string | undefined {
  if (base64 === '') return undefined
  const text = Buffer.from(base64, 'base64').toString()
  const blocks = [...pemBlocks(text)]
  for (const { label, hasHeaders, bytes } of blocks) {
    if (label !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found "${label}"`
    if (hasHeaders) return 'no PEM block headers are permitted'
    try {
      new X509Certificate(bytes)
    } catch (error) {
      return `x509: ${(error as Error).message}`
    }
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined
}
