// Protobuf, byte by byte: written from the end to the beginning, so that the length of every part
// is known when it has to be written.

const VARINT = 0
const FIXED64 = 1
const BYTES = 2

const INITIAL_BYTES = 4096

/** Fields have to be written from the last to the first. The bytes grow towards the front. */
export class ProtobufWriter {
  #buffer: Buffer
  #at: number

  constructor(bytes = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(bytes)
    this.#at = bytes
  }

  get length(): number {
    return this.#buffer.length - this.#at
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(this.#at)
  }

  raw(bytes: Uint8Array) {
    this.#reserve(bytes.length)
    this.#at -= bytes.length
    this.#buffer.set(bytes, this.#at)
  }

  text(number: number, text: string) {
    const length = Buffer.byteLength(text)
    this.#reserve(length)
    this.#at -= length
    this.#buffer.write(text, this.#at, length, 'utf8')
    this.#head(number, length)
  }

  bytes(number: number, bytes: Uint8Array) {
    this.raw(bytes)
    this.#head(number, bytes.length)
  }

  /** Makes a field of all that was written since the length was `since`. */
  part(number: number, since: number) {
    this.#head(number, this.length - since)
  }

  integer(number: number, value: number) {
    this.#reserve(10)
    this.#varint(value)
    this.#varint(number * 8 + VARINT)
  }

  double(number: number, value: number) {
    this.#reserve(8)
    this.#at -= 8
    this.#buffer.writeDoubleLE(value, this.#at)
    this.#varint(number * 8 + FIXED64)
  }

  #head(number: number, length: number) {
    this.#varint(length)
    this.#varint(number * 8 + BYTES)
  }

  #varint(value: number) {
    this.#reserve(10)
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) return this.#large(BigInt(Math.round(value)))
    let size = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1
    this.#at -= size
    let rest = value
    for (let index = 0; index < size - 1; index++) {
      this.#buffer[this.#at + index] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#buffer[this.#at + size - 1] = rest
  }

  /** Negative numbers are written as two's complement of 64 bits. */
  #large(value: bigint) {
    const bytes: number[] = []
    let rest = BigInt.asUintN(64, value)
    while (rest >= 128n) {
      bytes.push(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    bytes.push(Number(rest))
    this.#at -= bytes.length
    this.#buffer.set(bytes, this.#at)
  }

  #reserve(bytes: number) {
    if (this.#at >= bytes) return
    const length = this.length
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, length + bytes * 2 + 64))
    const at = larger.length - length
    this.#buffer.copy(larger, at, this.#at)
    this.#buffer = larger
    this.#at = at
  }
}
