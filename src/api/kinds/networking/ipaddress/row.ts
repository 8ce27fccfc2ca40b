// An address that somebody has: its name is the address, so that it can be given but once.

import { formatIp, isMapped, parseIp } from '../../../../lib/ip.ts'
import { dnsSubdomainFaults, isPathSegmentName } from '../../../names.ts'
import { defineResource } from '../../../resource.ts'
import type { IPAddress } from '../../../schema/generated/types.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { sameValue } from '../../../validation/values.ts'

export const ipAddresses = defineResource<IPAddress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  singular: 'ipaddress',
  type: 'io.k8s.api.networking.v1.IPAddress',
  scope: 'Cluster',
  shortNames: ['ip'],
  generationOf: false,
  nameRule: addressFaults,
  rules: [ruleOf(checkAddress)],
  columns: [
    {
      name: 'ParentRef',
      type: 'string',
      priority: 0,
      description: 'Who has it.',
      cell: ({ spec }) => parentText(spec?.parentRef),
    },
  ],
})

const NO_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'

function addressFaults(name: string): readonly string[] {
  const ip = parseIp(name)
  if (ip === undefined) {
    const hasZeros = parseIp(name.replace(/(?<=^|\.)0+(?=\d)/g, '')) !== undefined
    return [hasZeros ? 'must not have leading 0s' : NO_IP]
  }
  if (isMapped(ip)) return ['must not be an IPv4-mapped IPv6 address']
  const canonical = formatIp(ip)
  return canonical === name ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`]
}

function checkAddress(faults: FieldErrors, { spec }: IPAddress, old: IPAddress | undefined) {
  const parent = spec?.parentRef
  const at = 'spec.parentRef'
  if (!parent) faults.required(at)
  else {
    if (parent.group) {
      faults.invalidAll(`${at}.group`, parent.group, dnsSubdomainFaults(parent.group))
    }
    for (const field of ['resource', 'name'] as const) {
      if (!parent[field]) faults.required(`${at}.${field}`)
      else checkSegment(faults, `${at}.${field}`, parent[field])
    }
    if (parent.namespace) checkSegment(faults, `${at}.namespace`, parent.namespace)
  }
  if (old && !sameValue(parent, old.spec?.parentRef)) {
    faults.invalid(at, internalForm(parent), 'field is immutable')
  }
}

/** As upstream's messages show it: Go's names, all of them. */
function internalForm(parent: IPAddress['spec']['parentRef'] | undefined) {
  if (!parent) return null
  const { group = '', resource = '', namespace = '', name = '' } = parent
  return { Group: group, Resource: resource, Namespace: namespace, Name: name }
}

function checkSegment(faults: FieldErrors, at: string, value: string) {
  faults.invalidAll(at, value, isPathSegmentName(value, false))
}

function parentText(parent: IPAddress['spec']['parentRef'] | undefined): string {
  if (!parent) return '<none>'
  const { group, resource = '', namespace, name = '' } = parent
  const kind = (group ? `${resource}.${group}` : resource).toLowerCase()
  return [kind, ...(namespace ? [namespace] : []), name].join('/')
}
