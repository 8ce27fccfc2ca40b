// The images that tests run, made of nothing but Debian's busybox-static.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Image, type ImageRecipe, makeImage } from './image.ts'
import type { TarEntry } from './tar.ts'

/** Applets that tests and examples call by name. */
const APPLETS = [
  ...['sh', 'ash', 'cat', 'echo', 'env', 'printf', 'sleep', 'true', 'false', 'test', 'ls', 'id'],
  ...['wget', 'nc', 'httpd', 'nslookup', 'ping', 'ip', 'hostname', 'date', 'head', 'tail', 'grep'],
  ...['sed', 'awk', 'tr', 'cut', 'wc', 'sort', 'uniq', 'seq', 'dd', 'touch', 'mkdir', 'rm', 'cp'],
  ...['mv', 'ln', 'chmod', 'chown', 'mount', 'umount', 'ps', 'kill', 'stty', 'tty', 'yes', 'du'],
  ...['df', 'stat', 'tee', 'xargs', 'find', 'tar', 'gzip', 'gunzip', 'sha256sum', 'md5sum', 'su'],
  ...['top', 'uname', 'whoami', 'readlink', 'basename', 'dirname', 'expr', 'timeout', 'netstat'],
  ...['sync', 'mkfifo', 'od', 'base64', 'getopt', 'less', 'vi', 'dmesg', 'free', 'uptime'],
]

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'web:x:1000:1000:web:/www:/bin/sh',
  'nobody:x:65534:65534:nobody:/nonexistent:/bin/false',
]
const GROUP = ['root:x:0:', 'web:x:1000:', 'disk:x:6:web', 'nogroup:x:65534:']

/** Answers with the request's path, the host's name and the environment. */
const ENV_CGI = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "hostname=$(hostname)"
echo "path=$REQUEST_URI"
echo "client=$REMOTE_ADDR"
tr '\\0' '\\n' < /proc/1/environ
`
const INDEX_CGI = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "hello from $(hostname)"
`
/** busybox httpd runs CGI scripts; index.cgi answers for the root. */
const WEB_START = `#!/bin/sh
trap 'exit 0' TERM
echo "listening on \${PORT:-8080}"
httpd -f -p "\${PORT:-8080}" -h /www &
wait $!
`

function busyboxFiles(binary: Uint8Array): TarEntry[] {
  const folders = ['bin/', 'etc/', 'proc/', 'sys/', 'dev/', 'root/', 'var/', 'www/']
  return [
    ...folders.map((path) => ({ path, folder: true })),
    { path: 'tmp/', folder: true, mode: 0o1777 },
    { path: 'bin/busybox', data: binary, mode: 0o755 },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, linkTo: 'busybox' })),
    { path: 'etc/passwd', data: text(`${PASSWD.join('\n')}\n`) },
    { path: 'etc/group', data: text(`${GROUP.join('\n')}\n`) },
  ]
}

function webFiles(): TarEntry[] {
  return [
    { path: 'www/cgi-bin/', folder: true },
    { path: 'www/cgi-bin/index.cgi', data: text(INDEX_CGI), mode: 0o755 },
    { path: 'www/cgi-bin/env', data: text(ENV_CGI), mode: 0o755 },
    { path: 'www/page.html', data: text('a page\n') },
    { path: 'bin/web', data: text(WEB_START), mode: 0o755 },
  ]
}

/** The recipes, given busybox. */
export function recipes(busybox: Uint8Array): ImageRecipe[] {
  const base = busyboxFiles(busybox)
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return [
    { name: 'kedge-test/busybox:1', layers: [base], config: { Env: [path], Cmd: ['sh'] } },
    {
      name: 'kedge-test/web:1',
      layers: [base, webFiles()],
      config: {
        Env: [path, 'PORT=8080'],
        Entrypoint: ['/bin/web'],
        WorkingDir: '/www',
        User: 'web',
        ExposedPorts: { '8080/tcp': {} },
      },
    },
  ]
}

/** All test images, from the machine's busybox or a freshly downloaded package. */
export async function testImages(): Promise<Image[]> {
  return recipes(await findBusybox()).map(makeImage)
}

/** The web image under another name and with a page of its own: its content is found nowhere. */
export async function freshImage(name: string, page: string): Promise<Image> {
  const web = recipes(await findBusybox()).find((recipe) => recipe.name === 'kedge-test/web:1')!
  const fresh = [{ path: 'www/fresh.html', data: text(page) }]
  return makeImage({ ...web, name, layers: [[...web.layers.flat(), ...fresh]] })
}

/** Debian's static busybox: the installed one, else unpacked from the package. */
async function findBusybox(): Promise<Uint8Array> {
  for (const path of ['/bin/busybox', '/usr/bin/busybox']) {
    if (existsSync(path) && isStatic(path)) return readFileSync(path)
  }
  const folder = mkdtempSync(join(tmpdir(), 'kedge-busybox-'))
  try {
    await runIn(folder, ['apt-get', 'download', 'busybox-static'])
    const deb = [...new Bun.Glob('*.deb').scanSync(folder)][0]
    if (deb === undefined) throw new Error('apt-get download busybox-static brought no package')
    await runIn(folder, ['dpkg-deb', '-x', deb, 'root'])
    const found = [...new Bun.Glob('root/**/busybox').scanSync(folder)][0]
    if (found === undefined) throw new Error(`${deb} holds no busybox`)
    return readFileSync(join(folder, found))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A dynamic program names its loader in the first page. */
function isStatic(path: string): boolean {
  return !readFileSync(path).subarray(0, 4096).includes('/ld-linux')
}

async function runIn(cwd: string, argv: string[]): Promise<void> {
  const child = Bun.spawn(argv, { cwd, stdout: 'ignore', stderr: 'pipe' })
  const stderr = await child.stderr.text()
  if ((await child.exited) !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
