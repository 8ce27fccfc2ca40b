// Checks the shape of the code itself: layers, banned calls, sizes. Each rule names its reason.

import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

// Which folders, or single files, each folder of src/ may import. A name that is missing here fails the test, so
// adding a folder is a decision that shows in review.
const MAY_IMPORT: Record<string, readonly string[]> = {
  lib: [],
  protocol: ['lib'],
  api: ['lib'],
  pki: ['lib'],
  store: ['lib'],
  kit: ['api', 'lib'],
  server: ['store', 'pki', 'protocol', 'api', 'lib'],
  controllers: ['kit', 'pki', 'api', 'lib'],
  scheduler: ['kit', 'api', 'lib'],
  // A sandbox is attached to the network and given mounts: the runtime knows both as contracts.
  runtime: ['network/contract', 'volumes/contract', 'api', 'lib'],
  volumes: ['api', 'lib'],
  network: ['kit', 'protocol', 'api', 'lib'],
  dns: ['kit', 'api', 'lib'],
  agent: ['runtime/contract', 'volumes', 'kit', 'protocol', 'api', 'lib'],
  daemon: [
    ...['server', 'controllers', 'scheduler', 'agent', 'network', 'dns', 'runtime'],
    ...['kit', 'store', 'pki', 'protocol', 'api', 'lib'],
  ],
  cli: ['daemon', 'kit', 'pki', 'api', 'lib'],
  'main.ts': ['cli', 'lib'],
  // Makes the others; nobody may import it.
  build: [],
}

// Within a folder: its rooms and single files, the lowest first. What comes later may import what
// comes earlier, never the other way. The last entry, '', is all that is not named.
const ORDER: Record<string, readonly string[]> = {
  lib: ['', 'net', 'linux'],
  api: [
    'schema',
    '',
    'codec',
    'patch',
    'validation',
    'table',
    'custom',
    'node',
    'volume',
    'pod',
    'quota',
    'workload',
    'job',
    'kinds',
  ],
  server: [
    ...['contract.ts', 'request/query.ts', 'transport/call.ts', 'storage', 'response/yaml.ts'],
    ...['request', 'response'],
    ...['authz', 'authn', 'flowcontrol', 'admission', 'streams', 'transport', 'encryption'],
    ...['objects/hooks.ts', 'objects/services', 'nonresource/peers.ts', 'nonresource/version.ts'],
    ...[
      'nonresource/metrics.ts',
      'nonresource/step-metrics.ts',
      'server.ts',
      'objects',
      'discovery',
      'nonresource',
      'bootstrap',
      '',
    ],
  ],
  runtime: ['contract.ts', 'ctr.ts', 'spec', 'cgroups', 'logs', 'images', ''],
  network: ['', 'pods', 'services'],
  controllers: [
    'conditions.ts',
    'failures.ts',
    'pods.ts',
    'workloads',
    'batch',
    'endpoints',
    'nodes',
    'garbage',
    'identity',
    '',
  ],
  agent: [
    'settings.ts',
    'folders.ts',
    'resources.ts',
    'pod-text.ts',
    'exec.ts',
    'plan',
    'probes',
    'status',
    'node',
    'http',
    '',
  ],
}

// Third-party and system modules, by folder. Modules of `node:` that only compute are free for all.
const FREE = ['node:path', 'node:crypto', 'node:zlib', 'node:util']
const MAY_USE: Record<string, readonly string[]> = {
  lib: [
    ...['bun:ffi', 'node:fs', 'node:fs/promises', 'node:http', 'node:net', 'node:os'],
    ...['node:stream', 'node:tls', 'prom-client', 'ws-real'],
  ],
  api: ['re2js'],
  pki: ['@peculiar/x509', 'reflect-metadata'],
  store: ['bun:sqlite', 'node:fs'],
  kit: [],
  server: [
    ...['hono', '@hono/node-server', 'js-yaml', 'node:events'],
    ...['node:http', 'node:http2', 'node:net', 'node:tls', 'node:stream', 'node:fs/promises'],
  ],
  controllers: [],
  scheduler: [],
  runtime: ['node:fs', 'node:fs/promises'],
  volumes: ['node:fs', 'node:fs/promises'],
  network: ['node:fs/promises'],
  agent: ['node:fs', 'node:fs/promises', 'node:http2', 'node:net', 'node:os', 'node:tls'],
  dns: ['dns-packet', 'node:fs/promises'],
  daemon: ['js-yaml', 'node:fs', 'node:fs/promises', 'node:net', 'node:os'],
  cli: ['commander', 'js-yaml', 'node:fs/promises'],
  'main.ts': [],
  build: ['bun', 'node:fs', 'node:module'],
}

const BANNED = [
  {
    text: /\bDate\.now\(|\bnew Date\(\)|\bset(Timeout|Interval)\(|performance\.now\(/,
    except: /^lib\/clock\.ts$/,
    use: 'a Clock',
  },
  {
    text: /\bMath\.random\(|\brandomUUID\(|getRandomValues\(/,
    except: /^lib\/random\.ts$/,
    use: 'a Random',
  },
  { text: /from 'bun:sqlite'/, except: /^store\//, use: 'src/store' },
  {
    text: /\bBun\.spawn|child_process/,
    except: /^lib\/(process|linux\/pty)\.ts$/,
    use: 'Processes of lib/process.ts',
  },
  {
    text: /'(@peculiar\/x509|reflect-metadata)'/,
    except: /^pki\/x509\.ts$/,
    use: 'loadX509 of pki/x509.ts, so that a start does not wait for it,',
  },
  {
    text: /\b([lL]abels|[aA]nnotations|nodeSelector|limits|requests)(\?\.)?\[(?!i\])[a-z][\w.]*\](?! = )/,
    except: /^kit\/labels\.ts$/,
    use: 'own of lib/own.ts, for keys that somebody else chose,',
  },
  { text: /\.\.\.\{/, except: /^$/, use: 'the fields themselves' },
  { text: /\bprocess\.exit\(/, except: /^main\.ts$/, use: 'an error' },
  { text: /\bprocess\.env\b/, except: /^daemon\/config\.ts$/, use: 'the configuration' },
  { text: /\bconsole\.(log|error|warn)\(/, except: /^$/, use: 'a Log, or the output passed in' },
  { text: /\b(TO\x44O|FI\x58ME|X\x58X|HA\x43K)\b/, except: /^$/, use: 'an issue' },
]
/** Programs that nothing imports. */
const PROGRAMS = ['main.ts', 'build/build.ts', 'build/generate.ts']
const FUNCTION_LINES_MAX = 70
const FILE_LINES_MAX = 500
const FOLDER_FILES_MAX = 25
const README_LINES_MAX = 40
const COLUMNS_MAX = 100
/** A link, a message in somebody's words, a regular expression: never broken in two. */
const UNBROKEN = /https?:|(['"`]).{50,}\1|^\s*\/\^/
/** Besides dotfiles: what the top level holds, and no more. */
const TOP_LEVEL = [
  ...['README.md', 'bunfig.toml', 'installer', 'package-lock.json', 'package.json', 'src'],
  ...['systemd', 'test', 'tsconfig.json'],
]

const problems: string[] = []
/** What sources import: `folder module` or `folder folder`. */
const seen = new Set<string>()
const report = (path: string, line: number, message: string) => {
  problems.push(`${path}:${line} ${message}`)
}
const sources = [...new Bun.Glob('**/*.ts').scanSync('src')].filter(
  (path) => !path.includes('/generated/'),
)
const texts = new Map(sources.map((path) => [path, readFileSync(`src/${path}`, 'utf8')]))

for (const [path, text] of texts) {
  const isTest = path.endsWith('.test.ts')
  if (!isTest) {
    checkImports(path, text)
    // What makes kedge runs on a developer's machine, as tests do.
    if (!path.startsWith('build/')) checkBanned(path, text)
    checkFunctions(path, text)
  }
  checkSizes(path, text)
}
checkUnusedFiles()
checkCycles()
checkUnusedPermissions()
checkDependencies()
checkFolders()

function checkImports(path: string, text: string) {
  const folder = path.split('/')[0]!
  for (const [, target] of text.matchAll(/(?:from |import |import\()'([^']+)'/g)) {
    if (target === '../../package.json') continue
    if (target!.startsWith('.')) {
      const file = new URL(target!, `file:///${path}`).pathname.slice(1, -'.ts'.length)
      const imported = file.split('/')[0]!
      const permission = MAY_IMPORT[folder]?.find((one) => one === imported || one === file)
      if (permission !== undefined) seen.add(`${folder} ${permission}`)
      else if (imported !== folder) report(`src/${path}`, 1, `${folder} may not import ${file}`)
      else checkOrder(folder, path, `${file}.ts`)
    } else {
      seen.add(`${folder} ${target}`)
      if (FREE.includes(target!) || MAY_USE[folder]?.includes(target!)) continue
      report(`src/${path}`, 1, `${folder} may not use ${target}`)
    }
  }
}

function checkOrder(folder: string, path: string, target: string) {
  const order = ORDER[folder]
  if (order === undefined) return
  const place = (file: string) => {
    const within = file.slice(folder.length + 1)
    const isIn = (entry: string) => within === entry || within.startsWith(`${entry}/`)
    const named = order.filter((entry) => entry !== '' && isIn(entry))
    return order.indexOf(named.toSorted((a, b) => b.length - a.length)[0] ?? '')
  }
  if (place(target) <= place(path)) return
  report(`src/${path}`, 1, `is below ${target} in the order of ${folder}/ and may not import it`)
}

function checkBanned(path: string, text: string) {
  const lines = text.split('\n')
  for (const { text: banned, except, use } of BANNED) {
    if (except.test(path)) continue
    lines.forEach((line, i) => {
      if (!line.trimStart().startsWith('//') && banned.test(line)) {
        report(`src/${path}`, i + 1, `use ${use} instead of ${banned.source}`)
      }
    })
  }
}

function checkSizes(path: string, text: string) {
  const lines = text.split('\n')
  if (lines.length > FILE_LINES_MAX + 1) {
    report(`src/${path}`, 1, `has ${lines.length} lines; split it at ${FILE_LINES_MAX}`)
  }
  lines.forEach((line, i) => {
    if (line.length > COLUMNS_MAX && !UNBROKEN.test(line)) {
      report(`src/${path}`, i + 1, `is wider than ${COLUMNS_MAX} columns`)
    }
  })
}

/** Functions and methods that start at one indent end at the first closing brace of that indent. */
function checkFunctions(path: string, text: string) {
  const starts: { indent: string; line: number }[] = []
  text.split('\n').forEach((line, i) => {
    const opening =
      /^(\s*)(export )?(async )?(function\*?|(static )?(async )?\*?#?\w+\(.*\) ?(:.*)?\{$)/
    const match = opening.exec(line)
    if (match && !/^\s*(if|for|while|switch|catch|return)\b/.test(line)) {
      starts.push({ indent: match[1]!, line: i })
    }
    const last = starts.at(-1)
    if (last && line === `${last.indent}}`) {
      const length = i - last.line + 1
      if (length > FUNCTION_LINES_MAX) {
        report(`src/${path}`, last.line + 1, `function exceeds ${FUNCTION_LINES_MAX} lines`)
      }
      starts.pop()
    }
  })
}

/** A source that nothing in src/ imports is dead, or belongs in test/. */
function checkUnusedFiles() {
  const imported = new Set<string>(PROGRAMS)
  for (const [path, text] of texts) {
    if (path.endsWith('.test.ts')) continue
    for (const [, target] of text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
      imported.add(new URL(target!, `file:///${path}`).pathname.slice(1))
    }
  }
  for (const path of texts.keys()) {
    if (!path.endsWith('.test.ts') && !imported.has(path)) {
      report(`src/${path}`, 1, 'is imported by nothing')
    }
  }
}

/** What imports itself in the end, be it types alone, can only be read as a whole. */
function checkCycles() {
  const imports = new Map<string, string[]>()
  for (const [path, text] of texts) {
    if (path.endsWith('.test.ts')) continue
    const targets = [...text.matchAll(/(?:from|import\() ?'(\.[^']+\.ts)'/g)]
    const files = targets.map(([, one]) => new URL(one!, `file:///${path}`).pathname.slice(1))
    imports.set(path, files)
  }
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]) => {
    const begin = trail.indexOf(path)
    if (begin >= 0) {
      report(`src/${path}`, 1, `imports itself: ${[...trail.slice(begin), path].join(' → ')}`)
    }
    if (begin >= 0 || done.has(path)) return
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
}

/** A permission that nobody uses would let something in without a decision. */
function checkUnusedPermissions() {
  for (const table of [MAY_IMPORT, MAY_USE]) {
    for (const [folder, targets] of Object.entries(table)) {
      for (const target of targets) {
        if (seen.has(`${folder} ${target}`)) continue
        report('test/tidy.test.ts', 1, `${folder} does not need its permission for ${target}`)
      }
    }
  }
}

/** What is shipped is what the sources use; tests bring their own from devDependencies. */
function checkDependencies() {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const name of Object.keys(dependencies)) {
    const isUsed = Object.values(MAY_USE).some((targets) => targets.includes(name))
    if (!isUsed) report('package.json', 1, `nothing in src/ uses ${name}`)
  }
}

function checkFolders() {
  for (const name of readdirSync('.')) {
    const isOutput = ['dist', 'node_modules'].includes(name)
    if (!name.startsWith('.') && !isOutput && !TOP_LEVEL.includes(name)) {
      report(name, 1, 'does not belong on the top level')
    }
  }
  const folders = new Set(sources.map((path) => path.split('/').slice(0, -1).join('/')))
  for (const folder of folders) {
    if (folder === '') continue
    const files = sources.filter((path) => path.replace(/\/[^/]+$/, '') === folder)
    const count = files.filter((path) => !path.endsWith('.test.ts')).length
    if (count > FOLDER_FILES_MAX)
      report(`src/${folder}`, 1, `has ${count} files; make a sub-folder`)
    const readme = `src/${folder}/README.md`
    if (existsSync(readme)) checkReadme(readme, folder)
    else if (!folder.startsWith('api/kinds/')) report(readme, 1, 'is missing')
  }
}

function checkReadme(readme: string, folder: string) {
  const text = readFileSync(readme, 'utf8')
  if (text.trimEnd().split('\n').length > README_LINES_MAX) {
    report(readme, 1, `is longer than ${README_LINES_MAX} lines`)
  }
  const opening = text.split('\n\n')[1] ?? ''
  if (!/^[A-Z`].{20,}[.:]( |$)/.test(opening.replaceAll('\n', ' '))) {
    report(readme, 3, 'opens with no sentence that says what the folder is')
  }
  for (const [, name] of text.matchAll(/`([\w./-]+\.ts)`/g)) {
    const places = [`src/${folder}/${name}`, `src/${name}`, name!]
    if (!places.some((path) => existsSync(path)))
      report(readme, 1, `names ${name}, which is not there`)
  }
}

test('the code is tidy', () => {
  expect(problems).toEqual([])
})
