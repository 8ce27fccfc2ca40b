// What a pod says of the operating system it wants. Nodes of kedge run Linux; pods for Windows are
// judged all the same and wait for a node that never comes.

import { dnsSubdomainFaults } from '../../names.ts'
import type { WindowsSecurityContextOptions } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { type Check, containersWithPaths } from './check.ts'

const SPEC_BYTES_MAX = 64 * 1024
const DOMAIN_MAX = 256
const USER_MAX = 104

export function checkWindowsOptions(
  faults: FieldErrors,
  at: string,
  options: WindowsSecurityContextOptions | undefined,
) {
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec, runAsUserName } = options ?? {}
  if (name !== undefined) {
    faults.invalidAll(`${at}.gmsaCredentialSpecName`, name, dnsSubdomainFaults(name))
  }
  if (spec === '') {
    const detail = 'gmsaCredentialSpec cannot be an empty string'
    faults.invalid(`${at}.gmsaCredentialSpec`, spec, detail)
  } else if (spec !== undefined && spec.length > SPEC_BYTES_MAX) {
    const detail = 'gmsaCredentialSpec size must be under 64 KiB'
    faults.invalid(`${at}.gmsaCredentialSpec`, spec, detail)
  }
  if (runAsUserName === undefined) return
  for (const fault of userNameFaults(runAsUserName)) {
    faults.invalid(`${at}.runAsUserName`, runAsUserName, `runAsUserName${fault}`)
  }
}

function userNameFaults(text: string): string[] {
  if (text === '') return [' cannot be an empty string']
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\x00-\x1f\x7f]/.test(text)) return [' cannot contain control characters']
  const parts = text.split('\\')
  if (parts.length > 2) return [' cannot contain more than one backslash']
  const user = parts.at(-1)!
  const domain = parts.length === 2 ? parts[0]! : undefined
  const faults: string[] = []
  if (domain !== undefined && domain.length >= DOMAIN_MAX) {
    faults.push(`'s Domain length must be under ${DOMAIN_MAX} characters`)
  }
  if (domain !== undefined && !NET_BIOS.test(domain) && !DNS.test(domain)) {
    faults.push("'s Domain doesn't match the NetBios nor the DNS format")
  }
  if (user === '') faults.push("'s User cannot be empty")
  else if (user.length > USER_MAX) {
    faults.push(`'s User length must not be longer than ${USER_MAX} characters`)
  }
  if (/^[. ]+$/.test(user)) faults.push("'s User cannot contain only periods or spaces")
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    faults.push('\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]')
  }
  return faults
}

const NET_BIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/
const DNS_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const DNS = new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`)

/** Containers that are processes of the host: all of them or none, and with its network. */
export function checkHostProcess(check: Check, at: string) {
  const { faults, spec } = check
  const whole = spec.securityContext?.windowsOptions?.hostProcess
  const containers = containersWithPaths(check, at)
  let count = 0
  for (const { container, path } of containers) {
    const own = container.securityContext?.windowsOptions?.hostProcess
    if (whole !== undefined && own !== undefined && whole !== own) {
      const detail = `pod hostProcess value must be identical if both are specified, was ${whole}`
      faults.invalid(`${path}.securityContext.windowsOptions.hostProcess`, own, detail)
    }
    if (own ?? whole) count++
  }
  if (count === 0) return
  if (count !== containers.length) {
    const all = 'then all containers must be HostProcess containers'
    faults.invalid(at, '', `If pod contains any hostProcess containers ${all}`)
  }
  if (!spec.hostNetwork) {
    const detail = 'hostNetwork must be true if pod contains any hostProcess containers'
    faults.invalid(`${at}.hostNetwork`, false, detail)
  }
}

export function checkOs(check: Check, at: string) {
  const { faults, spec } = check
  if (spec.os === undefined) return
  const { name } = spec.os
  if (!name) faults.required(`${at}.os.name`)
  else if (name === 'linux') checkLinux(check, at)
  else if (name === 'windows') checkWindows(check, at)
  else faults.notSupported(`${at}.os`, name, ['linux', 'windows'])
}

function checkLinux(check: Check, at: string) {
  const { faults, spec } = check
  const detail = 'windows options cannot be set for a linux pod'
  if (spec.securityContext?.windowsOptions) {
    faults.forbidden(`${at}.securityContext.windowsOptions`, detail)
  }
  for (const { container, path } of containersWithPaths(check, at)) {
    if (!container.securityContext?.windowsOptions) continue
    faults.forbidden(`${path}.securityContext.windowsOptions`, detail)
  }
}

const OF_CONTAINERS = [
  ...(['appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'capabilities'] as const),
  ...(['readOnlyRootFilesystem', 'privileged', 'allowPrivilegeEscalation', 'procMount'] as const),
  ...(['runAsUser', 'runAsGroup'] as const),
]

function checkWindows(check: Check, at: string) {
  const { faults, spec } = check
  const context = spec.securityContext ?? {}
  const inner = `${at}.securityContext`
  const fields: readonly (readonly [string, unknown])[] = [
    [`${inner}.appArmorProfile`, context.appArmorProfile],
    [`${inner}.seLinuxOptions`, context.seLinuxOptions],
    [`${at}.hostUsers`, spec.hostUsers],
    [`${at}.hostPID`, spec.hostPID || undefined],
    [`${at}.hostIPC`, spec.hostIPC || undefined],
    [`${inner}.seccompProfile`, context.seccompProfile],
    [`${inner}.fsGroup`, context.fsGroup],
    [`${inner}.fsGroupChangePolicy`, context.fsGroupChangePolicy],
    [`${inner}.sysctls`, context.sysctls],
    [`${at}.shareProcessNamespace`, spec.shareProcessNamespace],
    [`${inner}.runAsUser`, context.runAsUser],
    [`${inner}.runAsGroup`, context.runAsGroup],
    [`${inner}.supplementalGroups`, context.supplementalGroups],
    [`${inner}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy],
    [`${inner}.seLinuxChangePolicy`, context.seLinuxChangePolicy],
  ]
  const detail = 'cannot be set for a windows pod'
  for (const [path, value] of fields) if (value !== undefined) faults.forbidden(path, detail)
  for (const { container, path } of containersWithPaths(check, at)) {
    for (const field of OF_CONTAINERS) {
      if (container.securityContext?.[field] === undefined) continue
      faults.forbidden(`${path}.securityContext.${field}`, detail)
    }
  }
}
