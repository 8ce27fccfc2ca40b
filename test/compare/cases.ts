// The files of cases, and of what was recorded for them: `core/pods.http` and
// `core/pods.v1.36.3.json`, which names the version of Kubernetes that gave the answers.

import { readdirSync, readFileSync } from 'node:fs'
import type { Answer } from './play.ts'
import { type CaseRequest, parseRequests } from './requests.ts'

export const CASES = new URL('cases/', import.meta.url).pathname

/** `core/pods` of every `core/pods.http`, in order. */
export function caseNames(): string[] {
  const paths = readdirSync(CASES, { recursive: true, encoding: 'utf8' })
  return paths
    .filter((path) => path.endsWith('.http'))
    .map((path) => path.replace(/\.http$/, ''))
    .sort()
}

export function requestsOf(name: string): CaseRequest[] {
  return parseRequests(readFileSync(`${CASES}${name}.http`, 'utf8'))
}

export type Recording = { path: string; version: string }

/** Every recording of these cases: there is one, unless somebody recorded twice or forgot to. */
export function recordingsOf(name: string): Recording[] {
  const folder = name.replace(/[^/]*$/, '')
  return readdirSync(CASES + folder).flatMap((file) => {
    const [, stem, version] = /^(.+?)\.(v\d+\.\d+\.\d+)\.json$/.exec(file) ?? []
    if (stem === undefined || version === undefined || folder + stem !== name) return []
    return [{ path: `${CASES}${folder}${file}`, version }]
  })
}

/** Throws when not exactly one version of Kubernetes has answered. */
export function answersOf(name: string): Answer[] {
  const [recording, ...more] = recordingsOf(name)
  if (recording === undefined || more.length > 0) {
    throw new Error(`record ${name} once: there must be one file ${name}.VERSION.json`)
  }
  return JSON.parse(readFileSync(recording.path, 'utf8'))
}
