// DeleteOptions: in the body when there is one, else in the query.

import { DecodeError, decodeParsed } from '../api/codec/decode.ts'
import { JsonSyntaxError, parseJson } from '../api/codec/json.ts'
import { objectType } from '../api/schema.ts'
import { badRequest } from '../api/status.ts'
import { BODY_BYTES_MAX } from './call.ts'
import { inputFormat } from './negotiation.ts'
import { type DeleteOptions, deleteOptions } from './options.ts'
import { parseYaml } from './output/yaml.ts'
import type { ResourceRequest } from './server.ts'

export async function readDeleteOptions({ call }: ResourceRequest): Promise<DeleteOptions> {
  const bytes = await call.body(BODY_BYTES_MAX)
  if (bytes.length === 0) return deleteOptions(call.query, undefined)
  const format = inputFormat(call)
  const text = new TextDecoder().decode(bytes)
  try {
    const parsed =
      format === 'yaml' ? { value: parseYaml(text).value, repeated: undefined } : parseJson(text)
    const type = objectType('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions')
    return deleteOptions(call.query, decodeParsed(parsed, type).object)
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof DecodeError) {
      throw badRequest(error.message)
    }
    throw error
  }
}
