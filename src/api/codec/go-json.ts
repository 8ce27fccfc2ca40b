// JSON text to the byte as Go writes it, for those who compare texts.

const ESCAPED = /[<>&\u2028\u2029]/g

/** With those signs by their number that would mean something in HTML or JavaScript. */
export function goJson(value: unknown): string {
  const text = JSON.stringify(value)
  if (text.search(ESCAPED) < 0) return text
  return text.replace(ESCAPED, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
