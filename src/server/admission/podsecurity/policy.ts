// Which level, of which version, a namespace's labels ask for in each mode.

import { type FieldError, fieldError } from '../../../api/status.ts'

export const LEVELS = ['privileged', 'baseline', 'restricted'] as const
export type Level = (typeof LEVELS)[number]

/** The y of v1.y. `latest` is whatever this server knows. */
export type Version = number | 'latest'

export type LevelVersion = { readonly level: Level; readonly version: Version }

export const MODES = ['enforce', 'audit', 'warn'] as const
export type Mode = (typeof MODES)[number]

export type Policy = Readonly<Record<Mode, LevelVersion>>

export const PREFIX = 'pod-security.kubernetes.io/'

const PRIVILEGED: LevelVersion = { level: 'privileged', version: 'latest' }

/** Where neither labels nor configuration say anything. */
export const PRIVILEGED_POLICY: Policy = {
  enforce: PRIVILEGED,
  audit: PRIVILEGED,
  warn: PRIVILEGED,
}

export const LEVEL_ADVICE = `must be one of ${LEVELS.join(', ')}`
export const VERSION_ADVICE = 'must be "latest" or "v1.x"'

export function parseLevel(text: string): Level | undefined {
  return LEVELS.find((level) => level === text)
}

/** Beyond this, Go's numbers are over, and upstream says no. */
const MINOR_MAX = 2n ** 63n - 1n

export function parseVersion(text: string): Version | undefined {
  if (text === 'latest') return 'latest'
  const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(text)?.[1]
  if (minor === undefined || minor.length > 19 || BigInt(minor) > MINOR_MAX) return undefined
  return Number(minor)
}

/** `baseline:v1.30` */
export function formatLevelVersion({ level, version }: LevelVersion): string {
  return `${level}:${version === 'latest' ? version : `v1.${version}`}`
}

export function isSame(a: LevelVersion, b: LevelVersion): boolean {
  return a.level === b.level && a.version === b.version
}

/** Whether both let the same through: of privileged ones the version is nothing. */
export function isEquivalent(a: Policy, b: Policy): boolean {
  const areAlike = (mode: Mode) =>
    isSame(a[mode], b[mode]) || (a[mode].level === 'privileged' && b[mode].level === 'privileged')
  return MODES.every(areAlike)
}

export function isPrivileged(policy: Policy): boolean {
  return MODES.every((mode) => policy[mode].level === 'privileged')
}

/** Above zero when `a` allows less than `b`. */
export function compareLevels(a: Level, b: Level): number {
  return LEVELS.indexOf(a) - LEVELS.indexOf(b)
}

export type Labels = Readonly<Record<string, string>>

/**
 * There is always a policy, also where labels make no sense: such a level counts as restricted for
 * what is enforced, and as privileged for the other modes; such a version is the latest.
 */
export function policyOf(
  labels: Labels | undefined,
  defaults: Policy,
): { policy: Policy; errors: readonly FieldError[] } {
  if (labels === undefined) return { policy: defaults, errors: [] }
  const errors: FieldError[] = []
  const read = (mode: Mode): LevelVersion => {
    const level = labels[PREFIX + mode]
    const version = labels[`${PREFIX}${mode}-version`]
    return {
      level: level === undefined ? defaults[mode].level : levelOf(mode, level, errors),
      version: version === undefined ? defaults[mode].version : versionOf(mode, version, errors),
    }
  }
  const [enforce, audit, warn] = [read('enforce'), read('audit'), read('warn')]
  return { policy: { enforce, audit, warn: warned(labels, enforce, warn) }, errors }
}

/** Who enforces a stricter level than is warned of is warned of that level too. */
function warned(labels: Labels, enforce: LevelVersion, warn: LevelVersion): LevelVersion {
  const said = labels[`${PREFIX}enforce`]
  const isEnforced = said !== undefined && parseLevel(said) !== undefined
  if (!isEnforced || labels[`${PREFIX}warn`] !== undefined) return warn
  if (compareLevels(enforce.level, warn.level) <= 0) return warn
  const { version } = labels[`${PREFIX}warn-version`] === undefined ? enforce : warn
  return { level: enforce.level, version }
}

function levelOf(mode: Mode, text: string, errors: FieldError[]): Level {
  const level = parseLevel(text)
  if (level !== undefined) return level
  errors.push(fieldError.invalid(pathOf(mode), text, LEVEL_ADVICE))
  return mode === 'enforce' ? 'restricted' : 'privileged'
}

function versionOf(mode: Mode, text: string, errors: FieldError[]): Version {
  const version = parseVersion(text)
  if (version !== undefined) return version
  errors.push(fieldError.invalid(pathOf(`${mode}-version`), text, VERSION_ADVICE))
  return 'latest'
}

const pathOf = (label: string) => `metadata.labels[${PREFIX}${label}]`
