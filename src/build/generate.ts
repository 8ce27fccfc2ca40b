// Writes src/api/schema/generated/types.ts and schema.json from facts.json.
//
// Both come out of one file, so that what TypeScript believes and what the server checks at run
// time cannot differ.

import { readFileSync, writeFileSync } from 'node:fs'
import { emitSchema } from './emit-schema.ts'
import { emitTypes } from './emit-types.ts'
import type { Facts } from './facts.ts'

const here = new URL('.', import.meta.url).pathname
const target = `${here}../api/schema/generated/`
const facts: Facts = JSON.parse(readFileSync(`${here}facts.json`, 'utf8'))

writeFileSync(`${target}types.ts`, emitTypes(facts))
writeFileSync(`${target}schema.json`, emitSchema(facts))
