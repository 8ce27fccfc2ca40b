// Requests to begin with: every request that was ever compared with Kubernetes, and one object of
// each kind.

import { readdirSync, readFileSync } from 'node:fs'
import { builtInRows } from '../../src/api/kinds/all.ts'
import { createRegistry } from '../../src/api/registry.ts'
import { type AnyRow, pathOf } from '../../src/api/resource.ts'
import { parseYaml } from '../../src/server/response/yaml.ts'
import { type CaseRequest, parseRequests } from '../compare/requests.ts'

export const NAMESPACE = 'default'
const CASES = new URL('../compare/cases/', import.meta.url).pathname

/** All recorded requests, with one namespace for all of them. */
export function recordedRequests(): CaseRequest[] {
  const files = [...new Bun.Glob('**/*.http').scanSync(CASES)].sort()
  return files.flatMap((file) =>
    parseRequests(readFileSync(CASES + file, 'utf8').replaceAll('{ns}', NAMESPACE)),
  )
}

export type Json = Record<string, unknown>
export type Seed = { row: AnyRow; collection: string; object: Json }

/** One object of each kind that can be created, as small as it can be. */
export function oneOfEachKind(): Seed[] {
  const posts = recordedRequests().filter(({ method }) => method === 'POST')
  return createRegistry(builtInRows)
    .rows.filter(({ verbs }) => verbs.includes('create'))
    .map((row) => {
      const namespace = row.scope === 'Namespaced' ? NAMESPACE : undefined
      const collection = pathOf(row, { namespace })
      const recorded = posts.find(
        ({ name, target }) => target === collection && /created$/.test(name),
      )
      const object = recorded ? (parseYaml(recorded.body).value as Json) : {}
      return { row, collection, object: { metadata: { name: 'one' }, ...object } }
    })
}

export function readSeeds(folder: string): { name: string; bytes: Buffer }[] {
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(`${folder}/${name}`) }))
}
