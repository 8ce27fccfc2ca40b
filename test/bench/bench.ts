// Runs benches and prints a table:
//
//   bun run bench                    all of them
//   bun run bench store api          some
//   bun run bench store --json FILE  also as JSON
//
// A bench is a file NAME.bench.ts here that exports `bench`.

import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, isMet, type Row } from './compare.ts'

const SUFFIX = '.bench.ts'

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'string' } },
    allowPositionals: true,
  })
  const known = [...new Bun.Glob(`*${SUFFIX}`).scanSync(import.meta.dir)].toSorted()
  const names = known.map((file) => basename(file, SUFFIX))
  const unknown = positionals.filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw new Error(`there is no bench ${unknown.join(', ')}: give some of ${names.join(', ')}`)
  }
  const rows: Row[] = []
  for (const name of positionals.length > 0 ? positionals : names) {
    const module = (await import(join(import.meta.dir, name + SUFFIX))) as { bench: Bench }
    console.log(`\n${name}: ${module.bench.target}`)
    const measured = await module.bench.run()
    console.log(formatRows(measured))
    rows.push(...measured)
  }
  if (values.json) await writeFile(values.json, `${JSON.stringify(rows, null, 2)}\n`)
}

function formatRows(rows: readonly Row[]): string {
  const head = ['', 'ours', 'peer', 'ratio', 'spread', 'target', '']
  const cells = rows.map((row) => [
    row.name,
    `${number(row.ours)} ${row.unit}`,
    row.peer === null ? 'missing' : `${number(row.peer)} ${row.unit}`,
    row.ratio === null ? '' : `${number(row.ratio)} x`,
    row.spread === null ? '' : `${number(row.spread[0])}-${number(row.spread[1])}`,
    `${row.better === 'higher' ? '>=' : '<='} ${row.target} ${row.isAbsolute ? row.unit : 'x'}`,
    row.note ?? (isMet(row) ? 'met' : 'MISSED'),
  ])
  const widths = head.map((title, i) =>
    Math.max(title.length, ...cells.map((line) => line[i]!.length)),
  )
  return [head, ...cells]
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function number(value: number): string {
  if (value >= 100) return Math.round(value).toString()
  return value.toPrecision(3)
}

await main()
