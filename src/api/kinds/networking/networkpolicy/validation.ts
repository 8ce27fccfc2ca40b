// What a NetworkPolicy must be (pkg/apis/networking/validation).

import { contains } from '../../../../lib/ip.ts'
import { portNameFaults, portNumberFaults } from '../../../names.ts'
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../../schema/generated/types.ts'
import { checkCidr, parseCidrLoosely } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkLabelSelector } from '../../../validation/labels.ts'

const TYPES = ['Ingress', 'Egress']
const PROTOCOLS = ['TCP', 'UDP', 'SCTP']

export function checkNetworkPolicy(
  faults: FieldErrors,
  { spec = {} }: NetworkPolicy,
  old: NetworkPolicy | undefined,
) {
  const { ingress = [], egress = [], policyTypes = [] } = spec
  // Ranges that stood in the policy before may stand anywhere in it, however they are written.
  const before = old === undefined ? [] : rangesOf(old)
  checkLabelSelector(faults, 'spec.podSelector', spec.podSelector)
  for (const [index, { ports, from }] of ingress.entries()) {
    const at = `spec.ingress[${index}]`
    checkPorts(faults, `${at}.ports`, ports)
    checkPeers(faults, `${at}.from`, from, before)
  }
  for (const [index, { ports, to }] of egress.entries()) {
    const at = `spec.egress[${index}]`
    checkPorts(faults, `${at}.ports`, ports)
    checkPeers(faults, `${at}.to`, to, before)
  }
  if (policyTypes.length > TYPES.length) {
    const detail = 'may not specify more than two policyTypes'
    return faults.invalid('spec.policyTypes', policyTypes, detail)
  }
  for (const [index, type] of policyTypes.entries()) {
    if (!TYPES.includes(type)) faults.notSupported(`spec.policyTypes[${index}]`, type, TYPES)
  }
}

function rangesOf({ spec = {} }: NetworkPolicy): string[] {
  const peers = [
    ...(spec.ingress ?? []).flatMap(({ from }) => from ?? []),
    ...(spec.egress ?? []).flatMap(({ to }) => to ?? []),
  ]
  return peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : []))
}

function checkPorts(faults: FieldErrors, at: string, ports: readonly NetworkPolicyPort[] = []) {
  for (const [index, port] of ports.entries()) checkPort(faults, `${at}[${index}]`, port)
}

function checkPort(
  faults: FieldErrors,
  at: string,
  { protocol, port, endPort }: NetworkPolicyPort,
) {
  if (protocol !== undefined && !PROTOCOLS.includes(protocol)) {
    faults.notSupported(`${at}.protocol`, protocol, PROTOCOLS)
  }
  const end = `${at}.endPort`
  if (typeof port === 'number') {
    faults.invalidAll(`${at}.port`, port, portNumberFaults(port))
    if (endPort === undefined) return
    if (endPort < port) faults.invalid(end, port, 'must be greater than or equal to `port`')
    return faults.invalidAll(end, endPort, portNumberFaults(endPort))
  }
  const missing = port === undefined ? 'not specified' : 'non-numeric'
  if (endPort !== undefined) {
    faults.invalid(end, endPort, `may not be specified when \`port\` is ${missing}`)
  }
  if (port !== undefined) faults.invalidAll(`${at}.port`, port, portNameFaults(port))
}

function checkPeers(
  faults: FieldErrors,
  at: string,
  peers: readonly NetworkPolicyPeer[] | undefined,
  before: readonly string[],
) {
  for (const [index, peer] of (peers ?? []).entries()) {
    const path = `${at}[${index}]`
    const { podSelector, namespaceSelector, ipBlock } = peer
    checkLabelSelector(faults, `${path}.podSelector`, podSelector)
    checkLabelSelector(faults, `${path}.namespaceSelector`, namespaceSelector)
    if (ipBlock !== undefined) checkBlock(faults, `${path}.ipBlock`, ipBlock, before)
    const selectsPods = podSelector !== undefined || namespaceSelector !== undefined
    if (!selectsPods && ipBlock === undefined) faults.required(path, 'must specify a peer')
    if (selectsPods && ipBlock !== undefined) {
      faults.forbidden(path, 'may not specify both ipBlock and another peer')
    }
  }
}

function checkBlock(
  faults: FieldErrors,
  at: string,
  { cidr, except = [] }: IPBlock,
  before: readonly string[],
) {
  if (!cidr) return faults.required(`${at}.cidr`)
  checkCidr(faults, `${at}.cidr`, cidr, before)
  const whole = parseCidrLoosely(cidr)
  if (whole === undefined) return
  for (const [index, text] of except.entries()) {
    const path = `${at}.except[${index}]`
    checkCidr(faults, path, text, before)
    const part = parseCidrLoosely(text)
    if (part === undefined) continue
    const isWithin = contains(whole, { family: part.family, value: part.base })
    if (isWithin && part.prefix > whole.prefix) continue
    faults.invalid(path, text, 'must be a strict subset of `cidr`')
  }
}
