// Upstream's PodSecurityConfiguration: what holds where labels say nothing, and who is exempt.

import { dnsLabelFaults, isDnsSubdomainName } from '../../../api/names.ts'
import { type FieldError, fieldError } from '../../../api/status.ts'
import {
  LEVEL_ADVICE,
  type LevelVersion,
  MODES,
  type Mode,
  type Policy,
  PRIVILEGED_POLICY,
  parseLevel,
  parseVersion,
  VERSION_ADVICE,
} from './policy.ts'

export type PodSecuritySettings = {
  readonly defaults: Policy
  readonly exempt: {
    readonly usernames: ReadonlySet<string>
    readonly namespaces: ReadonlySet<string>
    readonly runtimeClasses: ReadonlySet<string>
  }
}

export const DEFAULT_SETTINGS: PodSecuritySettings = {
  defaults: PRIVILEGED_POLICY,
  exempt: { usernames: new Set(), namespaces: new Set(), runtimeClasses: new Set() },
}

const KIND = 'PodSecurityConfiguration'
const API_VERSIONS = ['v1', 'v1beta1', 'v1alpha1'].map(
  (version) => `pod-security.admission.config.k8s.io/${version}`,
)
const EXEMPTIONS = {
  usernames: (name: string) => (name === '' ? ['username must not be empty'] : []),
  namespaces: dnsLabelFaults,
  runtimeClasses: (name: string) => isDnsSubdomainName(name, false),
}

/** `value` is the parsed file. Every fault is listed; with any, there are no settings. */
export function parseConfiguration(value: unknown): {
  settings: PodSecuritySettings
  errors: readonly FieldError[]
} {
  const errors: FieldError[] = []
  const file = mapOf(value, '', ['apiVersion', 'kind', 'defaults', 'exemptions'], errors)
  const apiVersion = file.get('apiVersion')
  if (!API_VERSIONS.includes(apiVersion as string)) {
    errors.push(fieldError.notSupported('apiVersion', apiVersion ?? '', API_VERSIONS))
  }
  const kind = file.get('kind')
  if (kind !== KIND) errors.push(fieldError.notSupported('kind', kind ?? '', [KIND]))
  const keys = MODES.flatMap((mode) => [mode, `${mode}-version`])
  const defaults = mapOf(file.get('defaults') ?? {}, 'defaults', keys, errors)
  const exempt = mapOf(file.get('exemptions') ?? {}, 'exemptions', Object.keys(EXEMPTIONS), errors)
  const settings = {
    defaults: {
      enforce: levelVersion('enforce', defaults, errors),
      audit: levelVersion('audit', defaults, errors),
      warn: levelVersion('warn', defaults, errors),
    },
    exempt: {
      usernames: namesIn('usernames', exempt, errors),
      namespaces: namesIn('namespaces', exempt, errors),
      runtimeClasses: namesIn('runtimeClasses', exempt, errors),
    },
  }
  return { settings, errors }
}

type Fields = ReadonlyMap<string, unknown>

function mapOf(
  value: unknown,
  path: string,
  known: readonly string[],
  errors: FieldError[],
): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    errors.push(fieldError.typeInvalid(path, value, 'must be an object'))
    return new Map()
  }
  const fields = new Map(Object.entries(value))
  for (const key of fields.keys()) {
    if (known.includes(key)) continue
    errors.push(fieldError.forbidden(path === '' ? key : `${path}.${key}`, 'unknown field'))
  }
  return fields
}

function levelVersion(mode: Mode, defaults: Fields, errors: FieldError[]): LevelVersion {
  const [saidLevel, saidVersion] = [defaults.get(mode), defaults.get(`${mode}-version`)]
  const level = parseLevel(String(saidLevel ?? 'privileged'))
  const version = parseVersion(String(saidVersion ?? 'latest'))
  if (level === undefined) {
    errors.push(fieldError.invalid(`defaults.${mode}`, saidLevel, LEVEL_ADVICE))
  }
  if (version === undefined) {
    errors.push(fieldError.invalid(`defaults.${mode}-version`, saidVersion, VERSION_ADVICE))
  }
  return { level: level ?? 'restricted', version: version ?? 'latest' }
}

function namesIn(
  what: keyof typeof EXEMPTIONS,
  exempt: Fields,
  errors: FieldError[],
): ReadonlySet<string> {
  const path = `exemptions.${what}`
  const list = exempt.get(what) ?? []
  const names = new Set<string>()
  if (!Array.isArray(list)) {
    errors.push(fieldError.typeInvalid(path, list, 'must be a list'))
    return names
  }
  list.forEach((item, index) => {
    const name = String(item)
    const faults = EXEMPTIONS[what](name)
    const at = `${path}[${index}]`
    if (faults.length > 0) errors.push(fieldError.invalid(at, name, faults.join(', ')))
    else if (names.has(name)) errors.push(fieldError.duplicate(at, name))
    else names.add(name)
  })
  return names
}
