// What types and fields are for, in words, as `kubectl explain` shows them.
//
// The words come from a package at build time (src/build) and lie packed in the executable.
// They are unpacked for each document and forgotten again, because documents are asked for rarely.
// A run from source has none: the file is empty there.

import { gunzip } from 'node:zlib'
import packed from './descriptions.txt' with { type: 'file' }
import type { Describe } from './openapi-schemas.ts'

/** By type, then by field; the empty field is the type itself. */
export type Descriptions = Record<string, Record<string, string>>

const NONE: Describe = () => undefined

export async function loadDescriptions(): Promise<Describe> {
  const bytes = await Bun.file(packed).bytes()
  if (bytes.length === 0) return NONE
  const descriptions: Descriptions = JSON.parse(await unpacked(bytes))
  return (type, field = '') => descriptions[type]?.[field]
}

function unpacked(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, (error, text) => (error ? reject(error) : resolve(text.toString())))
  })
}
