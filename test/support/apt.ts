// A Debian of paper for apt: what is installed, and what a repository offers, so that what apt would
// do can be seen without anything being done. dpkg is a program that only writes down its arguments.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ok } from './machines.ts'

export type PaperPackage = { name: string; more?: string }

export type PaperApt = {
  /** For the environment of whoever runs apt-get. */
  readonly env: Record<string, string>
  /** What dpkg was asked to change. */
  changes(): string[]
}

export async function paperApt(
  folder: string,
  { installed, offered }: { installed: PaperPackage[]; offered: PaperPackage[] },
): Promise<PaperApt> {
  const at = (...parts: string[]) => join(folder, ...parts)
  for (const place of ['state/lists/partial', 'cache/archives/partial', 'dpkg', 'repo']) {
    mkdirSync(at(place), { recursive: true })
  }
  const status = installed.map((one) => `${described(one)}Status: install ok installed\n`)
  writeFileSync(at('dpkg/status'), status.join('\n'))
  const stanzas: string[] = []
  for (const one of offered) {
    mkdirSync(at(one.name, 'DEBIAN'), { recursive: true })
    writeFileSync(at(one.name, 'DEBIAN/control'), described(one))
    const file = at('repo', `${one.name}.deb`)
    await ok(['dpkg-deb', '--build', at(one.name), file])
    const bytes = readFileSync(file)
    const sum = new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
    const where = `Filename: ./${one.name}.deb\nSize: ${bytes.length}\nSHA256: ${sum}\n`
    stanzas.push(described(one) + where)
  }
  writeFileSync(at('repo/Packages'), stanzas.join('\n'))
  writeFileSync(at('sources.list'), `deb [trusted=yes] file:${at('repo')} ./\n`)
  writeFileSync(at('dpkg.sh'), `#!/bin/sh\necho "$*" >>${at('dpkg.log')}\n`)
  writeFileSync(at('dpkg.log'), '')
  chmodSync(at('dpkg.sh'), 0o755)
  const settings = {
    'Dir::State': at('state'),
    'Dir::State::status': at('dpkg/status'),
    'Dir::Cache': at('cache'),
    'Dir::Etc::sourcelist': at('sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::main': '-',
    'Dir::Etc::parts': '-',
    'Dir::Bin::dpkg': at('dpkg.sh'),
    'Dir::Log': at('state'),
    'APT::Sandbox::User': 'root',
  }
  const lines = Object.entries(settings).map(([key, value]) => `${key} "${value}";`)
  writeFileSync(at('apt.conf'), `${lines.join('\n')}\n`)
  return {
    env: { APT_CONFIG: at('apt.conf') },
    changes: () =>
      readFileSync(at('dpkg.log'), 'utf8')
        .split('\n')
        .filter((line) => /--(unpack|configure|remove|purge)\b/.test(line)),
  }
}

function described({ name, more = '' }: PaperPackage): string {
  const fields = ['Version: 1.0', 'Architecture: all', 'Maintainer: nobody <nobody@example.com>']
  return `Package: ${name}\n${fields.join('\n')}\n${more}Description: of paper\n`
}
