// Users, capabilities, profiles and kernel settings of pods and containers.

import { rangeFaults } from '../../names.ts'
import type {
  AppArmorProfile,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkDescendingPath } from '../../validation/paths.ts'
import { checkSupported } from '../../validation/values.ts'
import { internalForm } from '../internal-form.ts'
import type { Check } from './check.ts'
import { checkWindowsOptions } from './windows.ts'

const ID_MAX = 2_147_483_647

export function checkPodSecurity(check: Check, at: string) {
  const { faults, spec } = check
  const context = spec.securityContext
  if (context === undefined) return
  checkId(faults, `${at}.fsGroup`, context.fsGroup)
  checkId(faults, `${at}.runAsUser`, context.runAsUser)
  checkId(faults, `${at}.runAsGroup`, context.runAsGroup)
  for (const [index, id] of (context.supplementalGroups ?? []).entries()) {
    checkId(faults, `${at}.supplementalGroups[${index}]`, id)
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const detail = 'ShareProcessNamespace and HostPID cannot both be enabled'
    faults.invalid(`${at}.shareProcessNamespace`, true, detail)
  }
  checkSysctls(check, `${at}.sysctls`, context)
  if (context.fsGroupChangePolicy !== undefined) {
    const known = ['Always', 'OnRootMismatch']
    checkSupported(faults, `${at}.fsGroupChangePolicy`, context.fsGroupChangePolicy, known)
  }
  checkSeccomp(faults, `${at}.seccompProfile`, context.seccompProfile)
  checkWindowsOptions(faults, `${at}.windowsOptions`, context.windowsOptions)
  checkAppArmor(faults, `${at}.appArmorProfile`, context.appArmorProfile)
  if (context.supplementalGroupsPolicy !== undefined) {
    const path = `${at}.supplementalGroupsPolicy`
    checkSupported(faults, path, context.supplementalGroupsPolicy, ['Merge', 'Strict'])
  }
  if (context.seLinuxChangePolicy !== undefined) {
    // Mounting with a label is off by default upstream, so there is one policy.
    const path = `${at}.seLinuxChangePolicy`
    checkSupported(faults, path, context.seLinuxChangePolicy, ['Recursive'])
  }
}

export function checkContainerSecurity(
  { faults, spec }: Check,
  at: string,
  context: SecurityContext | undefined,
) {
  if (context === undefined) return
  checkId(faults, `${at}.runAsUser`, context.runAsUser)
  checkId(faults, `${at}.runAsGroup`, context.runAsGroup)
  const { procMount, allowPrivilegeEscalation, privileged, capabilities } = context
  if (procMount !== undefined) {
    checkSupported(faults, `${at}.procMount`, procMount, ['Default', 'Unmasked'])
    if (procMount === 'Unmasked' && spec.hostUsers !== false) {
      const detail = '`hostUsers` must be false to use `Unmasked`'
      faults.invalid(`${at}.procMount`, procMount, detail)
    }
  }
  checkSeccomp(faults, `${at}.seccompProfile`, context.seccompProfile)
  if (allowPrivilegeEscalation === false) {
    const shown = internalForm('SecurityContext', context)
    const start = 'cannot set `allowPrivilegeEscalation` to false and'
    if (privileged) faults.invalid(at, shown, `${start} \`privileged\` to true`)
    for (const capability of capabilities?.add ?? []) {
      if (capability !== 'CAP_SYS_ADMIN') continue
      faults.invalid(at, shown, `${start} \`capabilities.Add\` CAP_SYS_ADMIN`)
    }
  }
  checkWindowsOptions(faults, `${at}.windowsOptions`, context.windowsOptions)
  checkAppArmor(faults, `${at}.appArmorProfile`, context.appArmorProfile)
}

/** Ids of users and groups. */
export function checkId(faults: FieldErrors, at: string, id: number | undefined) {
  if (id !== undefined) faults.invalidAll(at, id, rangeFaults(id, 0, ID_MAX))
}

const SECCOMP_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined']

function checkSeccomp(faults: FieldErrors, at: string, profile: SeccompProfile | undefined) {
  if (profile === undefined) return
  const { type, localhostProfile } = profile
  if (!type) faults.required(`${at}.type`, 'type is required when seccompProfile is set')
  else checkSupported(faults, `${at}.type`, type, SECCOMP_TYPES)
  const path = `${at}.localhostProfile`
  if (type !== 'Localhost') {
    if (localhostProfile === undefined) return
    const shown = internalForm('SeccompProfile', profile)
    return faults.invalid(path, shown, 'can only be set when seccomp type is Localhost')
  }
  if (localhostProfile === undefined) {
    faults.required(path, 'must be set when seccomp type is Localhost')
  } else checkDescendingPath(faults, path, localhostProfile)
}

const PROFILE_MAX = 4095

function checkAppArmor(faults: FieldErrors, at: string, profile: AppArmorProfile | undefined) {
  if (profile === undefined) return
  const { type, localhostProfile } = profile
  const path = `${at}.localhostProfile`
  const missing = 'must be set when AppArmor type is Localhost'
  switch (type) {
    case 'Localhost': {
      if (localhostProfile === undefined) return faults.required(path, missing)
      if (localhostProfile.trim() !== localhostProfile) {
        faults.invalid(path, localhostProfile, 'must not be padded with whitespace')
      } else if (localhostProfile === '') faults.required(path, missing)
      if (localhostProfile.length > PROFILE_MAX) faults.tooLong(path, PROFILE_MAX)
      return
    }
    case 'RuntimeDefault':
    case 'Unconfined':
      if (localhostProfile === undefined) return
      return faults.invalid(
        path,
        localhostProfile,
        'can only be set when AppArmor type is Localhost',
      )
    default:
      if (!type) faults.required(`${at}.type`, 'type is required when appArmorProfile is set')
      else faults.notSupported(`${at}.type`, type, SECCOMP_TYPES)
  }
}

const SYSCTL = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$'
const SYSCTL_RE = new RegExp(SYSCTL)
const SYSCTL_MAX = 253

function checkSysctls({ faults, spec }: Check, at: string, { sysctls }: PodSecurityContext) {
  const names = new Set<string>()
  for (const [index, { name = '' }] of (sysctls ?? []).entries()) {
    const path = `${at}[${index}].name`
    if (!name) faults.required(path)
    else if (name.length > SYSCTL_MAX || !SYSCTL_RE.test(name)) {
      const detail = `must have at most ${SYSCTL_MAX} characters and match regex ${SYSCTL}`
      faults.invalid(path, name, detail)
    } else if (names.has(name)) faults.duplicate(path, name)
    const namespace = namespaceOf(name)
    if (spec.hostNetwork && namespace === 'net') {
      faults.invalid(path, name, "may not be specified when 'hostNetwork' is true")
    } else if (spec.hostIPC && namespace === 'ipc') {
      faults.invalid(path, name, "may not be specified when 'hostIPC' is true")
    }
    names.add(name)
  }
}

function namespaceOf(sysctl: string): 'net' | 'ipc' | undefined {
  const firstSeparator = /[./]/.exec(sysctl)?.[0]
  const name = firstSeparator === '/' ? sysctl.replaceAll('/', '.') : sysctl
  if (name.startsWith('net.')) return 'net'
  const isIpc = /^(kernel\.(shm|msg)|fs\.mqueue\.)/.test(name) || name === 'kernel.sem'
  return isIpc ? 'ipc' : undefined
}
