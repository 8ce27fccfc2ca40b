// Tokens that continue a list: unpadded base64url of {v, rv, start}, as upstream writes them.

import { JsonSyntaxError, parseJson, plainJson } from '../../../api/codec/json.ts'
import { badRequest } from '../../../api/status.ts'

/** `revision` is -1 in a token that goes on at the newest state. */
export type Continue = { revision: number; afterKey: string }

const VERSION = 'meta.k8s.io/v1'

/** `lastKey` is the last key of the page, under `prefix`. */
export function encodeContinue(prefix: string, lastKey: string, revision: number): string {
  const start = `/${lastKey.slice(prefix.length)}\0`
  return Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start })).toString('base64url')
}

export function decodeContinue(prefix: string, token: string): Continue {
  const { v, rv, start } = parse(token) ?? {}
  const misfit = [v, start].find((word) => word !== undefined && typeof word !== 'string')
  if (misfit !== undefined || (rv !== undefined && typeof rv !== 'number')) {
    throw notValid(': a field of the token is of a wrong type')
  }
  if (v !== VERSION) {
    throw notValid(`: server does not recognize this encoded version ${v ?? ''}`)
  }
  if (!rv) throw notValid(': incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (!start) throw notValid(': encoded start key empty (version meta.k8s.io/v1)')
  const path = start.startsWith('/') ? start : `/${start}`
  if (/\/\/|\/\.\.?(\/|$)/.test(path)) throw notValid(`: ${start}`)
  return { revision: rv, afterKey: prefix + path.slice(1).replace(/\0$/, '') }
}

type Token = { v?: string; rv?: number; start?: string }

function parse(token: string): Token {
  const fault = /[^A-Za-z0-9_-]/.exec(token)
  if (fault || token.length % 4 === 1) {
    const at = fault ? fault.index : token.length - 1
    throw notValid(`: illegal base64 data at input byte ${at}`)
  }
  const bytes = Buffer.from(token, 'base64url')
  try {
    return plainJson(parseJson(bytes.toString())) as Token
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw notValid(`: ${isText(bytes) ? error.message : strangeByte(bytes[0]!)}`)
  }
}

const isText = (bytes: Buffer) => bytes.length === 0 || bytes[0]! < 0x80

/** Go takes each byte for a letter here. */
function strangeByte(byte: number): string {
  const letter = byte < 0xa0 ? `\\u00${byte.toString(16)}` : String.fromCharCode(byte)
  return `invalid character '${letter}' looking for beginning of value`
}

function notValid(why: string) {
  return badRequest(`invalid continue token: continue key is not valid${why}`)
}
