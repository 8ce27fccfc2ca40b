// What Endpoints must be (pkg/apis/core/validation).

import { isDnsSubdomainName } from '../../../names.ts'
import type { EndpointAddress, EndpointPort, Endpoints } from '../../../schema/generated/types.ts'
import { checkEndpointIp, checkIp } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import {
  checkDnsLabel,
  checkOneOf,
  checkPort,
  checkQualifiedName,
  sameValue,
} from '../../../validation/values.ts'

/** Subsets that did not change are not judged: old ones may be worse than new ones may be. */
export function checkEndpoints(
  faults: FieldErrors,
  { subsets }: Endpoints,
  old: Endpoints | undefined,
) {
  if (old && sameValue(subsets, old.subsets)) return
  for (const [index, subset] of (subsets ?? []).entries()) {
    const path = `subsets[${index}]`
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset
    if (addresses.length + notReadyAddresses.length === 0) {
      faults.required(path, 'must specify `addresses` or `notReadyAddresses`')
    }
    for (const kind of ['addresses', 'notReadyAddresses'] as const) {
      for (const [addressIndex, address] of (subset[kind] ?? []).entries()) {
        checkAddress(faults, `${path}.${kind}[${addressIndex}]`, address)
      }
    }
    for (const [portIndex, port] of ports.entries()) {
      checkEndpointPort(faults, `${path}.ports[${portIndex}]`, port, ports.length > 1)
    }
  }
}

function checkAddress(
  faults: FieldErrors,
  at: string,
  { ip = '', hostname, nodeName }: EndpointAddress,
) {
  checkIp(faults, `${at}.ip`, ip)
  if (hostname) checkDnsLabel(faults, `${at}.hostname`, hostname)
  if (nodeName !== undefined) {
    faults.invalidAll(`${at}.nodeName`, nodeName, isDnsSubdomainName(nodeName, false))
  }
  checkEndpointIp(faults, `${at}.ip`, ip)
}

function checkEndpointPort(
  faults: FieldErrors,
  at: string,
  port: EndpointPort,
  wantsName: boolean,
) {
  if (port.name) checkDnsLabel(faults, `${at}.name`, port.name)
  else if (wantsName) faults.required(`${at}.name`)
  checkPort(faults, `${at}.port`, port.port)
  checkOneOf(faults, `${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP'])
  if (port.appProtocol !== undefined) {
    checkQualifiedName(faults, `${at}.appProtocol`, port.appProtocol)
  }
}
