// The words that `kubectl explain` shows, from the declarations of the package kubernetes-models.
//
// The package is a development dependency: its text goes into the executable, not into this
// project.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { Facts } from './facts.ts'

/** By type, then by field; the empty field is the type itself. */
type Descriptions = Record<string, Record<string, string>>

const here = new URL('.', import.meta.url).pathname
const packages = dirname(dirname(createRequire(here).resolve('kubernetes-models/package.json')))

/** Of all types of the facts that the package knows. */
export function collectDescriptions(): Descriptions {
  const facts: Facts = JSON.parse(readFileSync(`${here}facts.json`, 'utf8'))
  const descriptions: Descriptions = {}
  for (const { name, fields } of facts.types) {
    const file = declarationOf(name)
    if (file === undefined) continue
    const isObject = fields.some((field) => field.name === 'apiVersion')
    const found = describedFields(readFileSync(file, 'utf8'))
    descriptions[name] = isObject ? { ...found, ...TYPE_META } : found
  }
  return descriptions
}

/** The package leaves out what it makes constants of. */
const TYPE_META = {
  apiVersion: 'The version of the API that this object is written in.',
  kind: 'The kind of this object.',
}

/** io.k8s.api.apps.v1.Deployment is in kubernetes-models/apps/v1/Deployment.d.ts. */
function declarationOf(name: string): string | undefined {
  const [kind = '', version = '', group = ''] = name.split('.').toReversed()
  const models = `${packages}/kubernetes-models`
  const candidates = name.startsWith('io.k8s.apimachinery')
    ? [`${packages}/@kubernetes-models/apimachinery/apis/meta/v1/${kind}.d.ts`]
    : [
        ...(group === 'core' ? [`${models}/${version}/${kind}.d.ts`] : []),
        ...['', '.k8s.io', '.authorization.k8s.io', '.apiserver.k8s.io'].map(
          (suffix) => `${models}/${group}${suffix}/${version}/${kind}.d.ts`,
        ),
      ]
  return candidates.find((path) => existsSync(path))
}

/** Comments of the interface and of its fields; those of nested fields come first, uncounted. */
function describedFields(declaration: string): Record<string, string> {
  const start = declaration.search(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*export interface/)
  if (start < 0) return {}
  const end = declaration.indexOf('\nexport declare class', start)
  const text = declaration.slice(start, end < 0 ? undefined : end)
  const found: Record<string, string> = {}
  const entry = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?:export interface|( +)"([^"]+)"\??:)/g
  for (const [, comment = '', indent, field = ''] of text.matchAll(entry)) {
    if (indent === undefined || indent.length === 4) found[field] ??= plain(comment)
  }
  return found
}

function plain(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .replaceAll('*\\/', '*/')
    .trim()
}
