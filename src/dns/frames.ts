// DNS over TCP puts two bytes of length before each message (RFC 1035, 4.2.2).

/** A message with its length before it. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(message.length + 2)
  frame[0] = message.length >> 8
  frame[1] = message.length & 255
  frame.set(message, 2)
  return frame
}

/** Puts messages together from whatever pieces they come in; each byte is copied once. */
export class FrameReader {
  #head: readonly number[] = []
  #body: Uint8Array | undefined
  #filled = 0

  /** The messages that `chunk` completes. */
  read(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = []
    for (let at = 0; at < chunk.length; ) {
      this.#body ??= this.#start(chunk[at++]!)
      const body = this.#body
      if (body === undefined) continue
      const piece = chunk.subarray(at, at + body.length - this.#filled)
      body.set(piece, this.#filled)
      this.#filled += piece.length
      at += piece.length
      if (this.#filled < body.length) continue
      messages.push(body)
      this.#body = undefined
    }
    return messages
  }

  /** Room for the message, once both bytes of its length are there. */
  #start(byte: number): Uint8Array | undefined {
    const [high] = this.#head
    this.#head = high === undefined ? [byte] : []
    this.#filled = 0
    return high === undefined ? undefined : new Uint8Array(high * 256 + byte)
  }
}
