// Writes ustar archives: enough for image layers and image archives made by tests.

export type TarEntry = {
  readonly path: string
  readonly mode?: number
  readonly data?: Uint8Array
  /** Makes a symbolic link instead of a file. */
  readonly linkTo?: string
  /** Makes a folder instead of a file. */
  readonly folder?: boolean
  readonly uid?: number
  readonly gid?: number
}

const BLOCK_BYTES = 512
const NAME_BYTES_MAX = 100

/** The archive as bytes. The same entries always give the same bytes: no clock, no user names. */
export function tar(entries: readonly TarEntry[]): Uint8Array {
  const blocks: Uint8Array[] = []
  for (const entry of entries) {
    const data = entry.data ?? new Uint8Array()
    blocks.push(header(entry, data.length), data, new Uint8Array(paddingOf(data.length)))
  }
  blocks.push(new Uint8Array(2 * BLOCK_BYTES))
  return Buffer.concat(blocks)
}

function paddingOf(length: number): number {
  return (BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES
}

function header(entry: TarEntry, length: number): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES)
  if (Buffer.byteLength(entry.path) > NAME_BYTES_MAX) throw new Error(`too long: ${entry.path}`)
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, '0')
  block.write(entry.path, 0)
  block.write(octal(entry.mode ?? (entry.folder ? 0o755 : 0o644), 8), 100)
  block.write(octal(entry.uid ?? 0, 8), 108)
  block.write(octal(entry.gid ?? 0, 8), 116)
  block.write(octal(length, 12), 124)
  block.write(octal(0, 12), 136)
  block.write(' '.repeat(8), 148)
  block.write(entry.folder ? '5' : entry.linkTo === undefined ? '0' : '2', 156)
  block.write(entry.linkTo ?? '', 157)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 7)}\0 `, 148)
  return block
}
