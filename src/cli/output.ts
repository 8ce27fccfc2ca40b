// Where commands write, and how a table looks: as kubectl's do.

export interface Output {
  write(text: string): void
}

export const standardOutput: Output = {
  write: (text) => {
    process.stdout.write(text)
  },
}

/** Columns padded to their widest cell, three spaces apart; the last is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  )
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]! + 3))).join('')
  return `${rows.map(line).join('\n')}\n`
}
