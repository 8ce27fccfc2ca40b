// Reads registries.yaml: mirrors, certificates and accounts of registries, in the words of k3s.

import { access, readFile } from 'node:fs/promises'
import { loadAll } from 'js-yaml'
import { isMissing } from '../lib/files.ts'
import { describeError } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'
import { NO_REGISTRIES, type Registries } from '../runtime/images/registries.ts'
import { filesOf, parseRegistries, RegistriesFault } from '../runtime/images/registries-file.ts'
import type { Settings } from './options.ts'

/** Read when it is there, and nobody names another. */
export const REGISTRIES_PATH = '/etc/kedge/registries.yaml'

/** Throws UserError that names file, key and way out. */
export async function loadRegistries(
  settings: Pick<Settings, 'private-registry'>,
): Promise<Registries> {
  const told = settings['private-registry']
  const path = told ?? REGISTRIES_PATH
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (told === undefined && isMissing(error)) return NO_REGISTRIES
    const why = isMissing(error) ? 'there is no such file' : describeError(error)
    throw new UserError(`--private-registry ${path}: ${why}: name a readable file`)
  }
  const registries = parsed(text, path)
  for (const { at, path: file } of filesOf(registries)) {
    await access(file).catch(() => {
      throw new UserError(`${path}: ${at}: ${file} cannot be read: name a readable file`)
    })
  }
  return registries
}

function parsed(text: string, path: string): Registries {
  try {
    return parseRegistries(loadAll(text)[0])
  } catch (error) {
    if (error instanceof RegistriesFault) throw new UserError(`${path}: ${error.message}`)
    const [firstLine] = String((error as Error).message).split('\n')
    throw new UserError(`${path}: is not valid YAML: ${firstLine}`)
  }
}
