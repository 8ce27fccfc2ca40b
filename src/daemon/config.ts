// Settings from flags, the environment and files. The first that says something wins:
//
//   flag  ►  KEDGE_<NAME>  ►  config.yaml.d/*.yaml (last file first)  ►  config.yaml  ►  default

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { isMissing } from '../lib/files.ts'
import { UserError } from '../lib/user-error.ts'
import { OPTIONS, type Option, type OptionName, type Role, type Settings } from './options.ts'

export const CONFIG_PATH = '/etc/kedge/config.yaml'

/** Values as given by one source, not yet checked. */
export type RawSettings = Partial<Record<OptionName, unknown>>

/** Names that users of k3s know, beside KEDGE_<NAME>. */
const ALIASES: Partial<Record<OptionName, string>> = {
  server: 'KEDGE_URL',
  'write-kubeconfig-mode': 'KEDGE_KUBECONFIG_MODE',
}

/** The settings, and `inTheirWords`: an error that names options as the person gave them. */
export type Loaded = { settings: Settings; inTheirWords: (error: unknown) => unknown }

/**
 * Puts the sources together and checks every value. `configPath` is undefined when the person did
 * not name a file: then a missing one is fine. Throws UserError.
 */
export async function loadSettings(
  role: Role,
  flags: RawSettings,
  configPath: string | undefined,
): Promise<Loaded> {
  const environment = fromEnvironment(process.env)
  const named = configPath ?? (process.env.KEDGE_CONFIG || undefined)
  const files = await fromFiles(named ?? CONFIG_PATH, named !== undefined)
  const sources: Source[] = [
    { settings: flags, where: (name) => `--${name}` },
    { settings: environment, where: (name) => `${variableOf(name, process.env)}` },
    ...files,
  ]
  return {
    settings: resolveSettings(role, sources),
    inTheirWords: (error) => inWordsOf(sources, error),
  }
}

/**
 * Errors speak of options as flags. Where the value came from the environment or a file, that is
 * what a person has to look at, and what the text then says. Pure.
 */
export function inWordsOf(sources: readonly Source[], error: unknown): unknown {
  if (!(error instanceof UserError)) return error
  const message = error.message.replace(/(?<=^|[\s(])--([a-z][a-z-]*)/g, (flag, word: string) => {
    const name = OPTIONS.find((option) => option.name === word)?.name
    const source = name && sources.find(({ settings }) => settings[name] !== undefined)
    return name && source ? source.where(name) : flag
  })
  return message === error.message ? error : new UserError(message, { cause: error })
}

export type Source = { settings: RawSettings; where: (name: OptionName) => string }

/** Pure: earlier sources win. */
export function resolveSettings(role: Role, sources: readonly Source[]): Settings {
  const settings: Record<string, unknown> = {}
  for (const option of OPTIONS) {
    const source = sources.find(({ settings }) => settings[option.name] !== undefined)
    const mayBeSet = option.roles.includes(role)
    if (source === undefined || !mayBeSet) {
      settings[option.name] = option.kind === 'list' ? [] : option.default
      continue
    }
    settings[option.name] = checked(option, source.settings[option.name], source.where(option.name))
  }
  return settings as Settings
}

function checked(option: Option, value: unknown, where: string): unknown {
  switch (option.kind) {
    case 'switch':
      if (value === true || value === 'true') return true
      if (value === false || value === 'false') return false
      throw wrong(where, value, 'give true or false')
    case 'list': {
      const items = Array.isArray(value) ? value : String(value).split(',')
      for (const item of items) checkOne(option, String(item), where)
      return items.map(String)
    }
    case 'number':
    case 'text': {
      if (typeof value === 'object') throw wrong(where, value, 'give a single value')
      const single = option.kind === 'number' ? Number(value) : String(value)
      if (Number.isNaN(single)) throw wrong(where, value, 'give a number')
      checkOne(option, single, where)
      return single
    }
    default:
      return option.kind satisfies never
  }
}

function checkOne(option: Option, value: string | number, where: string): void {
  const advice = option.check?.(value)
  if (advice !== undefined) throw wrong(where, value, advice)
}

function wrong(where: string, value: unknown, advice: string): UserError {
  return new UserError(`${where}: ${JSON.stringify(value)} is not valid: ${advice}`)
}

function fromEnvironment(env: NodeJS.ProcessEnv): RawSettings {
  const settings: RawSettings = {}
  for (const { name } of OPTIONS) {
    const value = env[variableOf(name, env)]
    if (value !== undefined && value !== '') settings[name] = value
  }
  return settings
}

function variableOf(name: OptionName, env: NodeJS.ProcessEnv): string {
  const alias = ALIASES[name]
  if (alias !== undefined && env[alias] !== undefined) return alias
  return `KEDGE_${name.toUpperCase().replaceAll('-', '_')}`
}

async function fromFiles(path: string, mustExist: boolean): Promise<Source[]> {
  const main = await readConfigFile(path, mustExist)
  const folder = `${path}.d`
  const names = await readdir(folder).catch((error) => {
    if (isMissing(error)) return []
    throw new UserError(`${folder}: cannot be read: ${error.message}`)
  })
  const extra = names.filter((name) => /\.ya?ml$/.test(name)).sort()
  const parts = await Promise.all(extra.map((name) => readConfigFile(join(folder, name), true)))
  return [...parts.toReversed(), main].filter((source) => source !== undefined)
}

async function readConfigFile(path: string, mustExist: boolean): Promise<Source | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error) && !mustExist) return undefined
    const advice = isMissing(error) ? 'there is no such file' : String(error)
    throw new UserError(`${path}: ${advice}: name a readable file with --config`)
  }
  return { settings: parseConfig(text, path), where: (name) => `${path}: ${name}` }
}

/** Pure: the text of a configuration file as settings. */
export function parseConfig(text: string, path: string): RawSettings {
  let value: unknown
  try {
    value = loadAll(text)[0]
  } catch (error) {
    const [firstLine] = String((error as Error).message).split('\n')
    throw new UserError(`${path}: is not valid YAML: ${firstLine}`)
  }
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new UserError(`${path}: must hold keys and values, such as "node-name: box1"`)
  }
  for (const key of Object.keys(value)) {
    if (OPTIONS.some(({ name }) => name === key)) continue
    const near = nearest(key)
    const advice = near ? `did you mean ${near}?` : 'see kedge server --help for the keys'
    throw new UserError(`${path}: ${key} is not a known key: ${advice}`)
  }
  return value as RawSettings
}

/** What is longer is no slip of the fingers. */
const KEY_CHARS_MAX = 64

function nearest(key: string): string | undefined {
  if (key.length > KEY_CHARS_MAX) return undefined
  const ranked = OPTIONS.map(({ name }) => ({ name, distance: editDistance(key, name) }))
  const best = ranked.toSorted((a, b) => a.distance - b.distance)[0]!
  return best.distance <= 3 ? best.name : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** systemd waits for a word from us. */
export function hasNotifySocket(): boolean {
  return process.env.NOTIFY_SOCKET !== undefined
}
