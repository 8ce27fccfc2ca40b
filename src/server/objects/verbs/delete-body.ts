// DeleteOptions: in the body when there is one, else in the query.

import { DecodeError, decodeParsed } from '../../../api/codec/decode.ts'
import { JsonSyntaxError, type ParsedJson, parseJson } from '../../../api/codec/json.ts'
import { ProtobufError, readEnvelopedBody } from '../../../api/codec/protobuf-read.ts'
import { objectType } from '../../../api/schema/schema.ts'
import { badRequest } from '../../../api/status.ts'
import { type Format, inputFormat } from '../../request/negotiation.ts'
import { type DeleteOptions, deleteOptions } from '../../request/options.ts'
import { parseYaml } from '../../response/yaml.ts'
import type { ResourceRequest } from '../../server.ts'
import { BODY_BYTES_MAX } from '../../transport/call.ts'

export async function readDeleteOptions(request: ResourceRequest): Promise<DeleteOptions> {
  const options = await readOptions(request)
  const { propagationPolicy, orphanDependents } = options
  const { orphaningWarning } = request.row
  const isSaid = propagationPolicy !== undefined || orphanDependents !== undefined
  if (orphaningWarning !== undefined && !isSaid) request.warnings.push(orphaningWarning)
  return options
}

async function readOptions({ call }: ResourceRequest): Promise<DeleteOptions> {
  const bytes = await call.body(BODY_BYTES_MAX)
  if (bytes.length === 0) return deleteOptions(call.query, undefined)
  try {
    const parsed = parse(bytes, inputFormat(call))
    checkKind(parsed.value)
    return deleteOptions(call.query, decodeParsed(parsed, objectType(OPTIONS.type)).object)
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      throw badRequest(`couldn't get version/kind; json parse error: ${error.message}`)
    }
    const isFault = [DecodeError, ProtobufError].some((is) => error instanceof is)
    if (isFault) throw badRequest((error as Error).message)
    throw error
  }
}

const OPTIONS = {
  kind: 'DeleteOptions',
  type: 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
}

function checkKind(body: unknown): void {
  const { kind, apiVersion } = (body ?? {}) as { kind?: unknown; apiVersion?: unknown }
  if (typeof kind !== 'string' || kind === '' || kind === OPTIONS.kind) return
  const what = `no kind ${JSON.stringify(kind)} is registered for version "${apiVersion ?? ''}"`
  throw badRequest(`${what} in scheme "pkg/runtime/scheme.go:111"`)
}

function parse(bytes: Uint8Array, format: Format): ParsedJson {
  if (format === 'protobuf') {
    return { value: readEnvelopedBody(bytes, OPTIONS), repeated: undefined }
  }
  const text = new TextDecoder().decode(bytes)
  return format === 'json' ? parseJson(text) : { value: parseYaml(text).value, repeated: undefined }
}
