// Why a text is not JSON, in the words of Go's encoding/json. Used only after a parser refused it.

/** The first fault, or undefined when there is none. */
export function jsonFault(text: string): string | undefined {
  return new Scanner(Buffer.from(text)).fault()
}

const SPACES = new Set([0x20, 0x09, 0x0d, 0x0a])
const END = 'unexpected end of JSON input'

class Fault extends Error {}

/**
 * Reads bytes, as Go does, so that a fault inside a letter of several bytes names the same byte.
 */
class Scanner {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  fault(): string | undefined {
    try {
      this.#value()
      this.#skipSpace()
      if (this.#at < this.#bytes.length) throw this.#unexpected('after top-level value')
      return undefined
    } catch (error) {
      if (error instanceof Fault) return error.message
      throw error
    }
  }

  #value() {
    this.#skipSpace()
    const sign = this.#sign()
    if (sign === '{') this.#object()
    else if (sign === '[') this.#list()
    else if (sign === '"') this.#string()
    else if (sign === 't') this.#word('true')
    else if (sign === 'f') this.#word('false')
    else if (sign === 'n') this.#word('null')
    else if (sign === '-' || /^[0-9]$/.test(sign)) this.#number()
    else throw this.#unexpected('looking for beginning of value')
  }

  #object() {
    this.#at += 1
    this.#skipSpace()
    if (this.#sign() === '}') {
      this.#at += 1
      return
    }
    while (true) {
      this.#skipSpace()
      if (this.#sign() !== '"') {
        throw this.#unexpected('looking for beginning of object key string')
      }
      this.#string()
      this.#skipSpace()
      if (this.#sign() !== ':') throw this.#unexpected('after object key')
      this.#at += 1
      this.#value()
      this.#skipSpace()
      const sign = this.#sign()
      if (sign !== ',' && sign !== '}') throw this.#unexpected('after object key:value pair')
      this.#at += 1
      if (sign === '}') return
    }
  }

  #list() {
    this.#at += 1
    this.#skipSpace()
    if (this.#sign() === ']') {
      this.#at += 1
      return
    }
    while (true) {
      this.#value()
      this.#skipSpace()
      const sign = this.#sign()
      if (sign !== ',' && sign !== ']') throw this.#unexpected('after array element')
      this.#at += 1
      if (sign === ']') return
    }
  }

  #string() {
    this.#at += 1
    while (this.#sign() !== '"') {
      if (this.#at >= this.#bytes.length) throw new Fault(END)
      if (this.#bytes[this.#at]! < 0x20) throw this.#unexpected('in string literal')
      if (this.#sign() === '\\') this.#escape()
      else this.#at += 1
    }
    this.#at += 1
  }

  #escape() {
    this.#at += 1
    const sign = this.#signOrSpace()
    if (!'bfnrt\\/"u'.includes(sign)) throw this.#unexpected('in string escape code')
    this.#at += 1
    if (sign !== 'u') return
    for (let count = 0; count < 4; count++) {
      if (!/^[0-9a-fA-F]$/.test(this.#signOrSpace())) {
        throw this.#unexpected('in \\u hexadecimal character escape')
      }
      this.#at += 1
    }
  }

  #word(word: string) {
    for (const letter of word) {
      if (this.#signOrSpace() !== letter) {
        throw this.#unexpected(`in literal ${word} (expecting ${shown(letter)})`)
      }
      this.#at += 1
    }
  }

  #number() {
    if (this.#sign() === '-') this.#at += 1
    if (this.#sign() === '0') this.#at += 1
    else this.#digits('in numeric literal')
    if (this.#sign() === '.') {
      this.#at += 1
      this.#digits('after decimal point in numeric literal')
    }
    if (this.#sign() === 'e' || this.#sign() === 'E') {
      this.#at += 1
      if (this.#sign() === '+' || this.#sign() === '-') this.#at += 1
      this.#digits('in exponent of numeric literal')
    }
  }

  #digits(where: string) {
    if (!/^[0-9]$/.test(this.#signOrSpace())) throw this.#unexpected(where)
    while (/^[0-9]$/.test(this.#sign())) this.#at += 1
  }

  #skipSpace() {
    while (SPACES.has(this.#bytes[this.#at]!)) this.#at += 1
  }

  /** Empty at the end. */
  #sign(): string {
    const byte = this.#bytes[this.#at]
    return byte === undefined ? '' : String.fromCharCode(byte)
  }

  /** Inside words and numbers Go tries a space at the end of the text, and complains of that. */
  #signOrSpace(): string {
    return this.#sign() || ' '
  }

  #unexpected(where: string): Fault {
    const isWord = /^in (literal|numeric|exponent|string escape|\\u)|^after decimal/.test(where)
    if (this.#at >= this.#bytes.length && !isWord) return new Fault(END)
    return new Fault(`invalid character ${shown(this.#signOrSpace())} ${where}`)
  }
}

/** As Go quotes one character. */
function shown(sign: string): string {
  if (sign === "'") return "'\\''"
  if (sign === '"') return "'\"'"
  const code = sign.charCodeAt(0)
  const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0)
  const named: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\\': '\\\\' }
  const hex = code.toString(16)
  const escaped = code < 0x80 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`
  return `'${named[sign] ?? (isControl ? escaped : sign)}'`
}
