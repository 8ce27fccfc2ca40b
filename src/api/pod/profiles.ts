// Security profiles once were annotations; where both stand, they must say the same.

import type {
  AppArmorProfile,
  ObjectMeta,
  PodSpec,
  SeccompProfile,
} from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkDescendingPath } from '../validation/paths.ts'
import { containersWithPaths } from './spec/check.ts'

export const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod'
export const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/'
export const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/'
const LOCALHOST = 'localhost/'

type Annotations = Readonly<Record<string, string>>

/** The annotations by themselves. */
export function checkProfileAnnotations(
  faults: FieldErrors,
  at: string,
  annotations: Annotations,
  spec: PodSpec,
) {
  const pod = annotations[SECCOMP_POD]
  if (pod !== undefined) checkSeccompText(faults, `${at}.${SECCOMP_POD}`, pod)
  for (const [key, text] of Object.entries(annotations)) {
    if (key.startsWith(SECCOMP_CONTAINER)) checkSeccompText(faults, `${at}.${key}`, text)
  }
  const names = new Set(containersWithPaths({ spec }, '').map(({ container }) => container.name))
  for (const [key, text] of Object.entries(annotations)) {
    if (!key.startsWith(APP_ARMOR)) continue
    const name = key.slice(APP_ARMOR.length)
    if (!names.has(name)) faults.invalid(`${at}[${key}]`, name, 'container not found')
    const isKnown = ['', 'runtime/default', 'unconfined'].includes(text)
    if (!isKnown && !text.startsWith(LOCALHOST)) {
      faults.invalid(`${at}[${key}]`, text, `invalid AppArmor profile name: "${text}"`)
    }
  }
}

function checkSeccompText(faults: FieldErrors, at: string, text: string) {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(text)) return
  if (text.startsWith(LOCALHOST)) {
    return checkDescendingPath(faults, at, text.slice(LOCALHOST.length))
  }
  faults.invalid(at, text, 'must be a valid seccomp profile')
}

/** Annotations against the fields, on creation. `at` is the path of the spec. */
export function checkProfilesMatch(
  faults: FieldErrors,
  at: string,
  spec: PodSpec,
  annotations: Annotations = {},
) {
  const whole = spec.securityContext?.seccompProfile
  const text = annotations[SECCOMP_POD]
  if (whole && text !== undefined) {
    checkSeccompMatch(faults, `${at}.securityContext.seccompProfile`, whole, text)
  }
  const containers = containersWithPaths({ spec }, at)
  for (const { container, path } of containers) {
    const profile = container.securityContext?.seccompProfile
    const own = annotations[SECCOMP_CONTAINER + container.name]
    if (profile === undefined || own === undefined) continue
    checkSeccompMatch(faults, `${path}.securityContext.seccompProfile`, profile, own)
  }
  if (spec.os?.name === 'windows') return
  for (const { container, path } of containers) {
    const profile =
      container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile
    const own = annotations[APP_ARMOR + container.name]
    if (profile === undefined || own === undefined) continue
    const field = `${path}.securityContext.appArmorProfile`
    checkMatch(faults, field, 'apparmor', profile, own, ['runtime/default'])
  }
}

function checkSeccompMatch(faults: FieldErrors, at: string, profile: SeccompProfile, text: string) {
  checkMatch(faults, at, 'seccomp', profile, text, ['runtime/default', 'docker/default'])
}

function checkMatch(
  faults: FieldErrors,
  at: string,
  what: string,
  { type, localhostProfile }: SeccompProfile | AppArmorProfile,
  text: string,
  defaults: readonly string[],
) {
  const mismatch = () => {
    faults.forbidden(`${at}.type`, `${what} type in annotation and field must match`)
  }
  if (type === 'Unconfined' && text !== 'unconfined') mismatch()
  if (type === 'RuntimeDefault' && !defaults.includes(text)) mismatch()
  if (type !== 'Localhost') return
  if (!text.startsWith(LOCALHOST)) mismatch()
  else if (text.slice(LOCALHOST.length) !== localhostProfile) {
    const detail = `${what} profile in annotation and field must match`
    faults.forbidden(`${at}.localhostProfile`, detail)
  }
}

/** The field that says what an AppArmor annotation says. */
export function appArmorOf(text: string): AppArmorProfile | undefined {
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  const localhostProfile = text.startsWith(LOCALHOST) ? text.slice(LOCALHOST.length) : ''
  return localhostProfile === '' ? undefined : { type: 'Localhost', localhostProfile }
}

/** Containers that only have the annotation get the field. */
export function copyAppArmorAnnotations(spec: PodSpec, { annotations }: ObjectMeta) {
  if (spec.os?.name === 'windows' || annotations === undefined) return
  const whole = spec.securityContext?.appArmorProfile
  for (const { container } of containersWithPaths({ spec }, '')) {
    const text = annotations[APP_ARMOR + container.name]
    const profile = text === undefined ? undefined : appArmorOf(text)
    if (profile === undefined || container.securityContext?.appArmorProfile) continue
    if (profile.localhostProfile?.trim() !== profile.localhostProfile) continue
    if (Bun.deepEquals(profile, whole)) continue
    container.securityContext = { ...container.securityContext, appArmorProfile: profile }
  }
}
