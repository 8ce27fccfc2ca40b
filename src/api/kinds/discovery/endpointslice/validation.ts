// What an EndpointSlice must be (pkg/apis/discovery/validation).

import { formatIp, parseIp } from '../../../../lib/ip.ts'
import {
  dnsLabelFaults,
  dnsSubdomainFaults,
  isDnsSubdomainName,
  labelValueFaults,
} from '../../../names.ts'
import type {
  DiscoveryV1EndpointPort,
  Endpoint,
  EndpointHints,
  EndpointSlice,
} from '../../../schema/generated/types.ts'
import { checkEndpointIp, checkIp, familyOf } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import {
  checkDnsLabel,
  checkImmutable,
  checkOneOf,
  checkQualifiedName,
  checkSupported,
  sameValue,
} from '../../../validation/values.ts'

const ENDPOINTS_MAX = 1000
const ADDRESSES_MAX = 100
const PORTS_MAX = 20_000
const HINTS_MAX = 8

export function checkEndpointSlice(
  faults: FieldErrors,
  slice: EndpointSlice,
  old: EndpointSlice | undefined,
) {
  const { addressType } = slice
  checkOneOf(faults, 'addressType', addressType, ['FQDN', 'IPv4', 'IPv6'])
  checkPorts(faults, slice.ports ?? [])
  const isSame = old !== undefined && sameValue(slice.endpoints, old.endpoints)
  if (!isSame) checkEndpoints(faults, slice.endpoints ?? [], addressType)
  if (old) checkImmutable(faults, 'addressType', addressType, old.addressType)
}

function checkPorts(faults: FieldErrors, ports: readonly DiscoveryV1EndpointPort[]) {
  if (ports.length > PORTS_MAX) return faults.tooMany('ports', ports.length, PORTS_MAX)
  const names = new Set<string>()
  for (const [index, { name = '', protocol, appProtocol }] of ports.entries()) {
    const path = `ports[${index}]`
    if (name) checkDnsLabel(faults, `${path}.name`, name)
    if (names.has(name)) faults.duplicate(`${path}.name`, name)
    names.add(name)
    checkSupported(faults, `${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])
    if (appProtocol !== undefined) checkQualifiedName(faults, `${path}.appProtocol`, appProtocol)
  }
}

function checkEndpoints(faults: FieldErrors, endpoints: readonly Endpoint[], type: string) {
  if (endpoints.length > ENDPOINTS_MAX) {
    return faults.tooMany('endpoints', endpoints.length, ENDPOINTS_MAX)
  }
  for (const [index, endpoint] of endpoints.entries()) {
    const path = `endpoints[${index}]`
    const addresses = endpoint.addresses ?? []
    if (addresses.length === 0) {
      faults.required(`${path}.addresses`, 'must contain at least 1 address')
    } else if (addresses.length > ADDRESSES_MAX) {
      faults.tooMany(`${path}.addresses`, addresses.length, ADDRESSES_MAX)
    }
    for (const [addressIndex, address] of addresses.entries()) {
      const at = `${path}.addresses[${addressIndex}]`
      checkAddress(faults, at, address, type)
    }
    const { nodeName, hostname, hints } = endpoint
    if (nodeName !== undefined) {
      faults.invalidAll(`${path}.nodeName`, nodeName, isDnsSubdomainName(nodeName, false))
    }
    if (hostname !== undefined) checkDnsLabel(faults, `${path}.hostname`, hostname)
    if (hints) checkHints(faults, `${path}.hints`, hints)
  }
}

function checkAddress(faults: FieldErrors, at: string, address: string, type: string) {
  const list = at.replace(/\[\d+\]$/, '')
  if (type === 'FQDN') return checkDomain(faults, at, address)
  if (type !== 'IPv4' && type !== 'IPv6') return
  const isGood =
    checkIp(faults, at, address) && (type === 'IPv4' || checkCanonical(faults, at, address))
  if (!isGood) return
  const family = type === 'IPv4' ? 4 : 6
  if (familyOf(address) !== family) faults.invalid(list, address, `must be an ${type} address`)
  checkEndpointIp(faults, at, address)
}

function checkCanonical(faults: FieldErrors, at: string, address: string): boolean {
  const canonical = formatIp(parseIp(address)!)
  if (canonical === address) return true
  faults.invalid(at, address, `must be in canonical form ("${canonical}")`)
  return false
}

function checkDomain(faults: FieldErrors, at: string, name: string) {
  if (name === '') return faults.required(at)
  const domain = name.replace(/\.$/, '')
  const details = dnsSubdomainFaults(domain)
  if (details.length > 0) return faults.invalid(at, domain, details.join(','))
  const labels = domain.split('.')
  if (labels.length < 2) {
    const detail = 'should be a domain with at least two segments separated by dots'
    return faults.invalid(at, domain, detail)
  }
  const bad = labels.find((label) => dnsLabelFaults(label).length > 0)
  if (bad !== undefined) faults.invalid(at, bad, dnsLabelFaults(bad).join(','))
}

function checkHints(
  faults: FieldErrors,
  at: string,
  { forZones = [], forNodes = [] }: EndpointHints,
) {
  const lists = { forZones, forNodes }
  for (const [field, hints] of Object.entries(lists)) {
    if (hints.length > HINTS_MAX) {
      return faults.tooMany(`${at}.${field}`, hints.length, HINTS_MAX)
    }
    const names = new Set<string>()
    for (const [index, { name = '' }] of hints.entries()) {
      const path = `${at}.${field}[${index}].name`
      if (names.has(name)) faults.duplicate(path, name)
      names.add(name)
      const isZone = field === 'forZones'
      faults.invalidAll(
        path,
        name,
        isZone ? labelValueFaults(name) : isDnsSubdomainName(name, false),
      )
    }
  }
}
