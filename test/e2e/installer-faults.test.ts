// What the installer refuses, and what it asks for in place of it: one line, and nothing changed.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { paperApt } from '../support/apt.ts'
import { Box, linkPrograms, type Snapshot, snapshotOf } from '../support/box.ts'
import { cannotRun, KEDGE, ok, run, until } from '../support/machines.ts'

const INSTALL = ['sh', 'installer/install.sh']
const SERVER = 'https://192.0.2.7:6443'
const SCRIPTS = ['installer/install.sh', 'installer/uninstall.sh']
const reason = cannotRun()

describe.skipIf(reason !== undefined)(`the installer ${reason ?? ''}`, () => {
  let box: Box
  let before: Snapshot
  const at = (...parts: string[]) => join(box.folder, ...parts)

  beforeAll(async () => {
    box = await Box.create('kif', '192.0.2.2/24')
    mkdirSync(at('other'))
    before = await snapshotOf(box)
  }, 60_000)
  afterEach(async () => {
    const after = await snapshotOf(box)
    // apt says in its own file why it could not do what it was asked.
    const state = after.state.filter((line) => !line.endsWith('/var/log/kedge-install.log'))
    expect({ ...after, state }).toEqual(before)
    await box.shell('rm -f /var/log/kedge-install.log')
  })
  afterAll(async () => {
    await box?.[Symbol.asyncDispose]()
  }, 30_000)

  async function refuses(env: Record<string, string>, message: string, argv = INSTALL) {
    const { code, stderr } = await box.run(argv, { env })
    expect(stderr).toStartWith('install.sh: ')
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(code).toBe(1)
  }

  test('refuses what cannot be meant', async () => {
    writeFileSync(at('token'), 'K10\n')
    await refuses({ INSTALL_KEDGE_EXEC: 'sever' }, '"sever" is neither server nor agent')
    await refuses({ INSTALL_KEDGE_EXEC: 'agent' }, "KEDGE_URL is missing: give the server's")
    await refuses({ KEDGE_URL: SERVER }, 'KEDGE_TOKEN_FILE is missing: name a file that holds what')
    await refuses(
      { KEDGE_URL: SERVER, KEDGE_TOKEN_FILE: at('none') },
      `KEDGE_TOKEN_FILE: there is no file ${at('none')}: put there what kedge token create`,
    )
    await refuses(
      { KEDGE_URL: SERVER, INSTALL_KEDGE_EXEC: 'server' },
      'KEDGE_URL is for machines that join, and INSTALL_KEDGE_EXEC says server: leave out one',
    )
    for (const words of ['agent --token K10x::y.z', 'agent --token=K10x::y.z']) {
      await refuses(
        { KEDGE_URL: SERVER, INSTALL_KEDGE_EXEC: words },
        'INSTALL_KEDGE_EXEC: everybody here could read a --token: leave it out, and give KEDGE_TOK',
      )
    }
  })

  test('asks for root', async () => {
    const user = await box.run(['setpriv', '--reuid', '65534', '--clear-groups', ...INSTALL])
    expect([user.code, user.stderr]).toEqual([
      1,
      'install.sh: needs root: run sudo sh installer/install.sh\n',
    ])
  })

  test('hears what sudo took away', async () => {
    // sudo gives no variables on, and can itself be read by root.
    await ok(['cp', Bun.which('sh')!, at('sudo')])
    const inner = 'env -u KEDGE_URL -u KEDGE_TOKEN_FILE sh installer/install.sh; exit $?'
    for (const depth of ['', `${at('sudo')} -c '${inner}'; exit $?`]) {
      await refuses(
        { KEDGE_URL: SERVER },
        'KEDGE_URL stood before sudo, which takes it away: put it behind, sudo KEDGE_URL=... sh ',
        [at('sudo'), '-c', depth === '' ? inner : depth],
      )
    }
  })

  test('tells a server that joining is for others', async () => {
    writeFileSync(at('token'), 'K10\n')
    const joining = { KEDGE_URL: SERVER, KEDGE_TOKEN_FILE: at('token') }
    await box.shell('mkdir /etc/kedge; echo server >/etc/kedge/exec')
    const advice =
      'take it away with sudo sh installer/uninstall.sh (its pods and data go too), then'
    await refuses(
      joining,
      `KEDGE_URL: this machine is a server already: to have it join another one, ${advice}`,
    )
    await box.shell('rm -r /etc/kedge; mkdir -p /var/lib/kedge/server')
    await refuses(
      joining,
      '/var/lib/kedge holds the data of a server that ran here: take it away with',
    )
    await box.shell('rm -r /var/lib/kedge')
  })

  test('uses the containerd and runc that are there, whoever brought them', async () => {
    const apt = await paperApt(at('docker'), { installed: [DOCKER], offered: DEBIAN })
    // Far enough to see: the packages come before the executable.
    const { stdout, stderr } = await box.run(INSTALL, {
      env: { ...apt.env, INSTALL_KEDGE_BIN: at('none') },
    })
    expect(stdout).toBe('packages: all there\n')
    expect(stderr).toContain('INSTALL_KEDGE_BIN: there is no file')
    expect(apt.changes()).toEqual([])
  })

  test('lets apt take nothing away to make room', async () => {
    const apt = await paperApt(at('narrow'), { installed: [DOCKER], offered: DEBIAN })
    const PATH = linkPrograms(at('narrow/programs'), ['runc'])
    await refuses(
      { ...apt.env, PATH },
      'installing runc would take away packages that are here: see /var/log/kedge-install.log, ' +
        'and bring the programs your own way: runc',
    )
    expect(apt.changes()).toEqual([])
  })

  test('has apt bring what is missing, and only that', async () => {
    const apt = await paperApt(at('wide'), { installed: [DOCKER], offered: DEBIAN })
    const PATH = linkPrograms(at('wide/programs'), ['conntrack'])
    const { stdout } = await box.run(INSTALL, {
      env: { ...apt.env, PATH, INSTALL_KEDGE_BIN: at('none') },
    })
    expect(stdout).toBe('packages: installed conntrack\n')
    const changes = apt.changes().join('\n')
    expect(changes).toContain('/conntrack.deb')
    expect(changes).not.toMatch(/containerd|runc|remove/)
  })

  test('says which words the kernel needs to keep account of memory', async () => {
    const script = `
      if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        echo cpu pids >"$0"; mount --bind "$0" /sys/fs/cgroup/cgroup.controllers
      else mount -t tmpfs tmpfs /sys/fs/cgroup; fi`
    await box.ok(['sh', '-euc', script, at('controllers')])
    const env = { INSTALL_KEDGE_BIN: at('none') }
    const place = 'in /boot/cmdline.txt, then reboot\n'
    expect((await box.run(INSTALL, { env })).stdout).toStartWith(
      'memory: this kernel keeps no account of it, so pods with a limit of memory will be refused: ' +
        `add cgroup_enable=memory cgroup_memory=1 to the line ${place}`,
    )
    const alone = { ...env, INSTALL_KEDGE_EXEC: 'server --disable-agent' }
    expect((await box.run(INSTALL, { env: alone })).stdout).not.toContain('memory')
    const unmount = 'umount /sys/fs/cgroup/cgroup.controllers 2>/dev/null || umount /sys/fs/cgroup'
    await box.shell(unmount)
    expect((await box.run(INSTALL, { env })).stdout).not.toContain('memory')
  })

  test('says what building takes where it is not there', async () => {
    const advice = 'apt-get install nodejs npm git, or name an executable, INSTALL_KEDGE_BIN=FILE'
    const PATH = linkPrograms(at('bare'), ['npm', 'node', 'nodejs'])
    await box.shell('mount -t tmpfs tmpfs dist')
    await refuses({ PATH }, `building needs Node 18 and npm: ${advice}`)
    const old = linkPrograms(at('old'), ['node'])
    writeFileSync(join(old, 'node'), '#!/bin/sh\necho v16.20.0\n', { mode: 0o755 })
    await refuses({ PATH: old }, 'building needs Node 18 or newer, this is 16: apt-get install')
    await box.shell('umount dist')
  })

  test('runs no executable that happens to lie beside it', async () => {
    // As somebody who was sent the script alone, into a folder with other things.
    const script = at('other/install.sh')
    writeFileSync(script, readFileSync('installer/install.sh'))
    writeFileSync(at('other/kedge'), `#!/bin/sh\ntouch ${at('run')}\n`, { mode: 0o755 })
    await refuses(
      {},
      'this is no checkout to build from: name an executable, INSTALL_KEDGE_BIN=FI',
      ['sh', script],
    )
    expect((await run(['ls', at('run')])).code).not.toBe(0)
  })

  describe('with an address', () => {
    let world: Bun.Subprocess
    let env: Record<string, string> = {}
    const address = (path: string) => `https://127.0.0.1:8443${path}`
    const sum = createHash('sha256').update('another').digest('hex')

    beforeAll(async () => {
      const subject = ['-subj', '/CN=world', '-addext', 'subjectAltName=IP:127.0.0.1']
      const files = ['-keyout', at('world.key'), '-out', at('world.crt')]
      await ok(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files])
      env = { CURL_CA_BUNDLE: at('world.crt') }
      const code = `
        const answers = new Map(Object.entries(${JSON.stringify({
          '/kedge': 'an executable',
          '/kedge.sha256': `${sum}  kedge\n`,
          '/bare': 'an executable',
        })}))
        const file = (path) => Bun.file(path)
        Bun.serve({ port: 8080, fetch: () => new Response('from a stranger') })
        Bun.serve({
          port: 8443,
          tls: { key: file('${at('world.key')}'), cert: file('${at('world.crt')}') },
          fetch(request) {
            const { pathname } = new URL(request.url)
            if (pathname === '/away') return Response.redirect('http://127.0.0.1:8080/kedge')
            const answer = answers.get(pathname)
            return new Response(answer ?? 'none', { status: answer === undefined ? 404 : 200 })
          },
        })`
      world = box.start([process.execPath, '-e', code])
      const ask = ['curl', '-s', '--cacert', at('world.crt'), address('/kedge')]
      await until('the world', async () => (await box.run(ask)).code === 0)
      before = await snapshotOf(box)
    }, 30_000)
    afterAll(() => world.kill())

    const from = (path: string, more: Record<string, string> = {}) => ({
      ...env,
      ...more,
      INSTALL_KEDGE_BIN: address(path),
    })

    test('refuses what is not what its checksum says', async () => {
      await refuses(from('/kedge'), `${address('/kedge')} has another checksum than it should: `)
      await refuses(
        from('/bare'),
        `there is no ${address('/bare')}.sha256: give INSTALL_KEDGE_SHA2`,
      )
      await refuses(from('/bare', { INSTALL_KEDGE_SHA256: sum }), 'has another checksum than it')
      await refuses(
        { INSTALL_KEDGE_BIN: KEDGE, INSTALL_KEDGE_SHA256: sum },
        `INSTALL_KEDGE_BIN: ${KEDGE} has another checksum than it should: `,
      )
    })

    test('follows no way that leads out of TLS', async () => {
      const { stderr } = await box.run(INSTALL, { env: from('/away') })
      expect(stderr).toContain(
        `install.sh: INSTALL_KEDGE_BIN: could not download ${address('/away')}`,
      )
      await refuses(
        { INSTALL_KEDGE_BIN: 'http://127.0.0.1:8080/kedge' },
        'INSTALL_KEDGE_BIN: give a path, or an address that begins with https://',
      )
    })

    test('takes nobody’s word who is not known', async () => {
      const { stderr } = await box.run(INSTALL, { env: { INSTALL_KEDGE_BIN: address('/kedge') } })
      expect(stderr).toContain('install.sh: INSTALL_KEDGE_BIN: could not download')
    })
  })
})

const DOCKER = { name: 'containerd.io', more: 'Conflicts: containerd, runc\n' }
const DEBIAN = ['containerd', 'runc', 'conntrack'].map((name) => ({ name }))

test('half a script does nothing, wherever it was cut', async () => {
  for (const script of SCRIPTS) {
    const lines = readFileSync(script, 'utf8').split('\n')
    expect(lines.slice(-2)).toEqual(['main "$@"', ''])
    // No program is found but one that every command becomes, and nothing is there to be written.
    const watch = 'command_not_found_handle() { echo "$1" >&3; }'
    const probes = lines.slice(0, -1).map((_, count) => {
      const text = lines.slice(0, count).join('\n')
      return run(['bash', '--norc', '-c', `exec 3>&1; PATH=/nowhere; ${watch}\n${text}`])
    })
    const ran = await Promise.all(probes)
    expect(ran.map(({ stdout }) => stdout).filter((text) => text !== '')).toEqual([])
  }
}, 60_000)
