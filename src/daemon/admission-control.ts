// Reads the file of --admission-control-config-file: upstream's AdmissionConfiguration, with what
// the admission plug-ins can be told.

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { loadAll } from 'js-yaml'
import { isMissing } from '../lib/files.ts'
import { describeError } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'
import {
  type PodSecuritySettings,
  parseConfiguration,
} from '../server/admission/podsecurity/configuration.ts'
import type { Settings } from './options.ts'

export type AdmissionSettings = { podSecurity?: PodSecuritySettings }

const KIND = 'AdmissionConfiguration'
const API_VERSIONS = ['v1', 'v1beta1', 'v1alpha1'].map(
  (version) => `apiserver.config.k8s.io/${version}`,
)
const POD_SECURITY = 'PodSecurity'
const FILE_KEYS = ['apiVersion', 'kind', 'plugins']
const PLUGIN_KEYS = ['name', 'path', 'configuration']

/** Throws UserError that names file, key and way out. */
export async function loadAdmission(
  settings: Pick<Settings, 'admission-control-config-file'>,
): Promise<AdmissionSettings> {
  const path = settings['admission-control-config-file']
  if (path === undefined) return {}
  const file = await readYaml(path, '--admission-control-config-file ')
  const found = pluginIn(file, path)
  if (found === undefined) return {}
  const { at, value } = found.path === undefined ? found : await readBeside(found.path, path)
  const { settings: podSecurity, errors } = parseConfiguration(value)
  const [first] = errors
  if (first === undefined) return { podSecurity }
  throw new UserError(`${at}: ${first.field || 'the file'}: ${first.message}`)
}

type Found = { at: string; value: unknown; path?: string }

/** Pure. What the file says of the one plug-in that can be told something. */
function pluginIn(file: unknown, path: string): Found | undefined {
  const fields = mapOf(file, path, 'the file', FILE_KEYS)
  const apiVersion = String(fields.get('apiVersion') ?? '')
  if (!API_VERSIONS.includes(apiVersion) || fields.get('kind') !== KIND) {
    throw new UserError(`${path}: is no ${KIND}: begin with apiVersion: ${API_VERSIONS[0]}`)
  }
  const plugins = fields.get('plugins') ?? []
  if (!Array.isArray(plugins)) throw new UserError(`${path}: plugins: must be a list`)
  const known = plugins.map((item, index) => mapOf(item, path, `plugins[${index}]`, PLUGIN_KEYS))
  known.forEach((plugin, index) => {
    const name = plugin.get('name')
    if (name === POD_SECURITY) return
    const shown = JSON.stringify(name ?? '')
    throw new UserError(
      `${path}: plugins[${index}]: only ${POD_SECURITY} can be told, not ${shown}`,
    )
  })
  if (known.length > 1) throw new UserError(`${path}: plugins: ${POD_SECURITY} is there twice`)
  const [plugin] = known
  if (plugin === undefined) return undefined
  const [beside, inline] = [plugin.get('path'), plugin.get('configuration')]
  if ((beside === undefined) === (inline === undefined)) {
    throw new UserError(`${path}: plugins[0]: give either configuration or path`)
  }
  return beside === undefined
    ? { at: `${path}: plugins[0].configuration`, value: inline }
    : { at: path, value: undefined, path: String(beside) }
}

async function readBeside(name: string, path: string): Promise<Found> {
  const at = resolve(dirname(path), name)
  return { at, value: await readYaml(at, `${path}: plugins[0].path: `) }
}

function mapOf(value: unknown, path: string, where: string, known: readonly string[]) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${path}: ${where}: must hold keys and values`)
  }
  const fields = new Map(Object.entries(value))
  const unknown = [...fields.keys()].find((key) => !known.includes(key))
  if (unknown === undefined) return fields
  throw new UserError(`${path}: ${where}: ${unknown} is not known: it has ${known.join(', ')}`)
}

async function readYaml(path: string, told: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const why = isMissing(error) ? 'there is no such file' : describeError(error)
    throw new UserError(`${told}${path}: ${why}: name a readable file`)
  }
  try {
    return loadAll(text)[0]
  } catch (error) {
    const [firstLine] = String((error as Error).message).split('\n')
    throw new UserError(`${path}: is not valid YAML: ${firstLine}`)
  }
}
