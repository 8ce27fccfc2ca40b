// A secret on the command line can be read by everybody on the machine, for as long as the process
// runs. So it is written over, as soon as it was taken: `--token xxxxxxxx`.

import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'

/** Of /proc/PID/stat, counted after the name of the program, which may hold anything. */
const [ARGUMENTS_START, ARGUMENTS_END] = [45, 46]

/** Writes over every argument, or end of one after `=`, that is `secret`. */
export function hideArgument(secret: string): void {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [start, end] = [Number(fields[ARGUMENTS_START]), Number(fields[ARGUMENTS_END])]
  const memory = openSync('/proc/self/mem', 'r+')
  try {
    const text = Buffer.alloc(end - start)
    readSync(memory, text, 0, text.length, start)
    const mask = Buffer.alloc(Buffer.byteLength(secret), 'x')
    for (const at of placesOf(text, Buffer.from(secret))) {
      writeSync(memory, mask, 0, mask.length, start + at)
    }
  } finally {
    closeSync(memory)
  }
}

/** Pure: where `secret` stands as a whole, up to the zero that ends each argument. */
export function placesOf(text: Buffer, secret: Buffer): number[] {
  const places: number[] = []
  if (secret.length === 0) return places
  for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) {
    const before = at === 0 ? 0 : text[at - 1]
    const after = text[at + secret.length] ?? 0
    if ((before === 0 || before === EQUALS) && after === 0) places.push(at)
  }
  return places
}

const EQUALS = 0x3d
