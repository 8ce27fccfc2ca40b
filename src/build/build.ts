// Builds the executable: `bun src/build/build.ts [--target bun-linux-arm64]`.
//
//   src/main.ts ─┐
//   descriptions ─┴─► Bun.build (bundle, minify, compile) ─► dist/kedge or dist/kedge-arm64

import { gzipSync } from 'node:zlib'
import type { BunPlugin } from 'bun'
import { collectDescriptions } from './descriptions.ts'

const { target, outfile } = options(process.argv.slice(2))
const started = performance.now()

/** Puts the words for `kubectl explain` into the place that is empty in the sources. */
const descriptions: BunPlugin = {
  name: 'descriptions',
  setup(build) {
    build.onLoad({ filter: /discovery\/descriptions\.txt$/ }, () => {
      const packed = gzipSync(JSON.stringify(collectDescriptions()), { level: 9 })
      return { contents: packed, loader: 'file' }
    })
  },
}

const result = await Bun.build({
  entrypoints: ['src/main.ts'],
  compile: { outfile, ...(target === undefined ? {} : { target }) },
  minify: true,
  bytecode: true,
  format: 'esm',
  sourcemap: 'none',
  plugins: [descriptions],
  define: { KEDGE_COMMIT: JSON.stringify(commit()) },
})
for (const log of result.logs) console.error(log)
if (!result.success) process.exit(1)

const size = (Bun.file(outfile).size / 1e6).toFixed(1)
console.log(`${outfile}: ${size} MB in ${((performance.now() - started) / 1000).toFixed(1)} s`)

/** As git names the sources, with a mark when they were changed; empty outside a checkout. */
function commit(): string {
  const argv = ['git', 'describe', '--always', '--dirty', '--abbrev=9', '--exclude=*']
  try {
    return Bun.spawnSync(argv, { stderr: 'ignore' }).stdout.toString().trim()
  } catch {
    // There is no git here.
    return ''
  }
}

function options(args: readonly string[]) {
  const at = args.indexOf('--target')
  const target = at < 0 ? undefined : (args[at + 1] as Bun.Build.CompileTarget | undefined)
  const isArm = target?.includes('arm64') ?? false
  return { target, outfile: `dist/kedge${isArm ? '-arm64' : ''}` }
}
