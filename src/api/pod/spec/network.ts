// Names and addresses that a pod gets: DNS settings, hosts, its own name.

import { dnsSubdomainFaults, type FieldErrors as NameFaults } from '../../names.ts'
import type { HostAlias, PodSpec } from '../../schema/generated/types.ts'
import { checkIp } from '../../validation/addresses.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkDnsSubdomain } from '../../validation/values.ts'

// What the C library can hold.
const NAMESERVERS_MAX = 3
const SEARCHES_MAX = 32
const SEARCH_CHARACTERS_MAX = 2048
const HOSTNAME_MAX = 64

export function checkDnsConfig(faults: FieldErrors, at: string, { dnsConfig, dnsPolicy }: PodSpec) {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {}
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) {
      return faults.required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')
    }
    if (nameservers.length === 0) {
      const detail = 'must provide at least one DNS nameserver when `dnsPolicy` is None'
      return faults.required(`${at}.nameservers`, detail)
    }
  }
  if (nameservers.length > NAMESERVERS_MAX) {
    const detail = `must not have more than ${NAMESERVERS_MAX} nameservers`
    faults.invalid(`${at}.nameservers`, nameservers, detail)
  }
  for (const [index, address] of nameservers.entries()) {
    checkIp(faults, `${at}.nameservers[${index}]`, address)
  }
  if (searches.length > SEARCHES_MAX) {
    const detail = `must not have more than ${SEARCHES_MAX} search paths`
    faults.invalid(`${at}.searches`, searches, detail)
  }
  if (searches.join(' ').length > SEARCH_CHARACTERS_MAX) {
    const unit = 'characters (including spaces) in the search list'
    const detail = `must not have more than ${SEARCH_CHARACTERS_MAX} ${unit}`
    faults.invalid(`${at}.searches`, searches, detail)
  }
  for (const [index, search] of searches.entries()) {
    if (search === '.') continue
    const domain = search.replace(/\.$/, '')
    faults.invalidAll(`${at}.searches[${index}]`, domain, searchFaults(domain))
  }
  for (const [index, { name }] of options.entries()) {
    if (!name) faults.required(`${at}.options[${index}]`, 'must not be empty')
  }
}

const LABEL = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const SEARCH = `${LABEL}(\\.${LABEL})*`
const SEARCH_RE = new RegExp(`^${SEARCH}$`)

/** Subdomains that may have underscores, as SRV names do. */
function searchFaults(domain: string): NameFaults {
  const tooLong = domain.length > 253 ? ['must be no more than 253 characters'] : []
  if (SEARCH_RE.test(domain)) return tooLong
  const text =
    'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,' +
    " '_', '-' or '.', and must start and end with an alphanumeric character"
  return [...tooLong, `${text} (e.g. 'example.com', regex used for validation is '${SEARCH}')`]
}

export function checkHostAliases(faults: FieldErrors, at: string, aliases: readonly HostAlias[]) {
  for (const [index, { ip = '', hostnames }] of aliases.entries()) {
    checkIp(faults, `${at}[${index}].ip`, ip)
    for (const [nameIndex, name] of (hostnames ?? []).entries()) {
      checkDnsSubdomain(faults, `${at}[${index}].hostnames[${nameIndex}]`, name)
    }
  }
}

export function checkHostnameOverride(faults: FieldErrors, at: string, spec: PodSpec) {
  const { hostnameOverride: hostname, setHostnameAsFQDN, hostNetwork } = spec
  if (hostname === undefined) return
  if (setHostnameAsFQDN) {
    faults.forbidden(at, 'may not be specified when setHostnameAsFQDN is true')
  }
  if (hostNetwork) faults.forbidden(at, 'may not be specified when hostNetwork is true')
  if (hostname.length > HOSTNAME_MAX) faults.tooLong(at, HOSTNAME_MAX)
  faults.invalidAll(at, hostname, dnsSubdomainFaults(hostname))
}
