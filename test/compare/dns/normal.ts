// A reply as it is recorded: all of it but ids, serial numbers and the order of records.

import { decode } from 'dns-packet'

export type Recorded = {
  rcode: string
  flags: string
  question: string
  answers: string[] | number
  authorities: string[]
  additionals: string[] | number
  edns?: string
}

type Opt = { udpPayloadSize: number; extendedRcode: number; ednsVersion: number; flags: number }
type Decoded = {
  rcode: string
  opcode: string
  questions: { name: string; type: string; class: string }[]
  answers: DecodedRecord[]
  authorities: DecodedRecord[]
  additionals: DecodedRecord[]
} & Record<`flag_${'aa' | 'tc' | 'rd' | 'ra' | 'ad' | 'cd'}`, boolean>
type DecodedRecord = { type: string; name: string; ttl: number; data: unknown }

/** undefined: there was no reply. */
export function normal(bytes: Uint8Array | undefined): Recorded | undefined {
  if (bytes === undefined) return undefined
  const reply = decode(Buffer.from(bytes)) as unknown as Decoded
  const opt = reply.additionals.find(({ type }) => type === 'OPT') as unknown as Opt | undefined
  const flags = (['aa', 'tc', 'rd', 'ra', 'ad', 'cd'] as const).filter((one) => reply[`flag_${one}`])
  const rest = reply.additionals.filter(({ type }) => type !== 'OPT')
  return {
    rcode: opt?.extendedRcode ? `${reply.rcode}+${opt.extendedRcode}` : reply.rcode,
    flags: [...flags, ...(reply.opcode === 'QUERY' ? [] : [reply.opcode])].join(' '),
    question: reply.questions.map((one) => `${one.name} ${one.type} ${one.class}`).join(),
    // Which records are left in one that is cut is chance, how many is not.
    answers: reply.flag_tc ? reply.answers.length : texts(reply.answers),
    authorities: texts(reply.authorities),
    additionals: reply.flag_tc ? rest.length : texts(rest),
    ...(opt && { edns: `${opt.udpPayloadSize} version ${opt.ednsVersion} flags ${opt.flags}` }),
  }
}

function texts(records: readonly DecodedRecord[]): string[] {
  return records.map(textOf).toSorted()
}

function textOf({ name, ttl, type, data }: DecodedRecord): string {
  // A serial number is the time of the last change.
  const values = type === 'SOA' ? { ...(data as object), serial: 0 } : data
  const plain = Array.isArray(values) ? values.map(String) : values
  return `${name} ${ttl} ${type} ${typeof plain === 'string' ? plain : JSON.stringify(plain)}`
}
