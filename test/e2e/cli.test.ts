// Faults on the command line: one line that says what, where and how to mend it, an exit code, and
// nothing changed. The compiled executable on a machine of its own, where a server runs.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  cannotRun,
  createLab,
  KEDGE,
  kubectlOf,
  type Lab,
  type Machine,
  ok,
  type Ran,
  run,
  until,
} from '../support/machines.ts'

const reason = cannotRun()

describe.skipIf(reason !== undefined)(`the command line ${reason ?? ''}`, () => {
  let lab: Lab
  let machine: Machine
  let token = ''
  let expired = ''
  /** Where the faulty starts would write. */
  let place = ''
  const at = (name: string) => join(place, name)

  beforeAll(async () => {
    lab = await createLab()
    machine = await lab.addMachine('server')
    place = join(machine.folder, 'other')
    mkdirSync(place)
    writeFileSync(at('file'), 'not a folder\n')
    writeFileSync(at('config.yaml'), 'node-name: box1\nnode-nam: box1\n')
    writeFileSync(at('bad-value.yaml'), 'node-ip: localhost\n')
    writeFileSync(at('bad.yaml'), 'node-name: [\n')
    // Programs are looked for here and nowhere else: all but one are there.
    mkdirSync(at('bin'))
    for (const name of ['ip', 'nft', 'runc', 'containerd', 'ss']) {
      await ok(['ln', '-s', Bun.which(name)!, at(`bin/${name}`)])
    }
    // Another user can run the executable, and reach nothing of ours.
    chmodSync(lab.folder, 0o755)
    await ok(['cp', KEDGE, at('kedge')])
    machine.start(machine.serverArgv(['--disable-agent']))
    const kubeconfig = await machine.adminKubeconfig()
    const kubectl = kubectlOf(kubeconfig)
    await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
    const create = [KEDGE, 'token', 'create', '--kubeconfig', kubeconfig]
    token = (await ok(create)).trim()
    expired = (await ok([...create, '--ttl', '1ms'])).trim()
  }, 60_000)

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]()
  }, 30_000)

  const kedge = (args: string[], env: Record<string, string> = {}): Promise<Ran> =>
    run(machine.on(['env', ...variables(env), KEDGE, ...args]), { env: { KEDGE_CONFIG: '' } })

  const variables = (env: Record<string, string>) =>
    Object.entries(env).map(([name, value]) => `${name}=${value}`)

  const FOLDERS = () => [
    ...['--data-dir', at('data'), '--run-dir', at('run'), '--pod-log-dir', at('logs')],
    ...['--node-name', 'other', '--node-ip', machine.ip],
  ]
  const server = (...more: string[]) => [
    ...['server', ...FOLDERS(), '--write-kubeconfig', at('kubeconfig.yaml')],
    ...['--https-listen-port', '7443', ...more],
  ]
  const agent = (...more: string[]) => ['agent', ...FOLDERS(), ...more]
  const url = () => `https://${machine.ip}:6443`

  /** Every path that a start would make, and what is in the files that are there. */
  const seen = async () => {
    const places = [place, '/var/lib/kedge', '/run/kedge', '/etc/kedge']
    const script = 'find "$@" -type d -print -o -type f -printf "%p %s %T@\\n" 2>/dev/null | sort'
    return (await run(['sh', '-c', script, 'find', ...places])).stdout
  }

  async function refuses(args: string[], line: string | RegExp, env?: Record<string, string>) {
    const before = await seen()
    const { code, stdout, stderr } = await kedge(args, env)
    expect(stdout).toBe('')
    if (typeof line === 'string') expect(stderr).toBe(`kedge: ${line}\n`)
    else expect(stderr).toMatch(line)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(code).toBe(1)
    expect(await seen()).toBe(before)
  }

  test('refuses flags that it does not know, and values that do not fit', async () => {
    await refuses(
      server('--data-dri', 'x'),
      "unknown option '--data-dri': did you mean --data-dir?",
    )
    await refuses(
      server('--token'),
      "option '--token <token>' argument missing: see it with --help",
    )
    await refuses(
      server('--https-listen-port', '99999'),
      '--https-listen-port: 99999 is not valid: give a port from 1 to 65535',
    )
    await refuses(
      server(),
      'KEDGE_NODE_TAINT: "gpu" is not valid: ' +
        'give key=value:NoSchedule, PreferNoSchedule or NoExecute',
      { KEDGE_NODE_TAINT: 'gpu' },
    )
    await refuses(['sever'], "unknown command 'sever': did you mean server?")
  })

  test('refuses configuration files with a fault, and names file and key', async () => {
    const withConfig = (name: string) => server('--config', at(name))
    await refuses(
      withConfig('config.yaml'),
      `${at('config.yaml')}: node-nam is not a known key: did you mean node-name?`,
    )
    const { code, stderr } = await kedge(['agent', '--config', at('bad-value.yaml')])
    expect([code, stderr]).toEqual([
      1,
      `kedge: ${at('bad-value.yaml')}: node-ip: "localhost" is not valid: give an IPv4 address\n`,
    ])
    await refuses(withConfig('bad.yaml'), /bad.yaml: is not valid YAML: .+\n$/)
    await refuses(
      withConfig('none.yaml'),
      `${at('none.yaml')}: there is no such file: name a readable file with --config`,
    )
  })

  test('refuses folders that cannot be had', async () => {
    const file = at('file')
    await refuses(
      server('--data-dir', file),
      `--data-dir ${file}: ${file} is not a folder: name another place`,
    )
    await refuses(
      server('--run-dir', join(file, 'run')),
      `--run-dir ${join(file, 'run')}: ${file} is not a folder: name another place`,
    )
    await refuses(
      agent('--server', url(), '--token', token, '--data-dir', '/proc/kedge'),
      /^kedge: --data-dir \/proc\/kedge: cannot write to \/proc \(.+\): run as root, or name another/,
    )
    await refuses(
      server('--write-kubeconfig', place),
      `--write-kubeconfig ${place}: is a folder: name a file`,
    )
    await refuses(server('--data-dir', 'data'), /"data" is not valid: give an absolute path/)
  })

  test('refuses a disk without space, before it makes anything there', async () => {
    const disk = at('disk')
    mkdirSync(disk)
    await ok(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
    try {
      await refuses(
        server('--disable-agent', '--data-dir', join(disk, 'data')),
        `--data-dir ${join(disk, 'data')}: only 4 MiB are free there: ` +
          'free some space, or name another place',
      )
    } finally {
      await ok(['umount', disk])
      rmSync(disk, { recursive: true })
    }
  })

  test('refuses a port that is in use, and names who has it', async () => {
    await refuses(
      server('--https-listen-port', '6443'),
      `--https-listen-port 6443: is in use by kedge (process ${machine.pid}): ` +
        'stop that program, or choose another port',
    )
  })

  test('refuses data of a server that runs', async () => {
    const { code, stderr } = await kedge(server('--disable-agent', '--data-dir', machine.dataDir))
    const store = join(machine.dataDir, 'server/db/state.db')
    expect([code, stderr]).toEqual([
      1,
      `kedge: another kedge process uses ${store}: stop it, or give another --data-dir\n`,
    ])
  })

  test('refuses a machine without a program that it needs', async () => {
    await refuses(server(), 'ctr is not in PATH: install it with apt-get install containerd', {
      PATH: at('bin'),
    })
  })

  test('refuses addresses that nobody could reach it at', async () => {
    const where = `give one of ${machine.ip}`
    await refuses(
      server('--node-ip', '127.0.0.1'),
      '--node-ip: "127.0.0.1" is not valid: give an IPv4 address that other machines reach',
    )
    await refuses(
      server('--node-ip', '192.0.2.7'),
      `--node-ip 192.0.2.7: is no address of this machine: ${where}`,
    )
    await refuses(
      server('--bind-address', '192.0.2.7'),
      `--bind-address 192.0.2.7: is no address of this machine: ${where}, or 0.0.0.0 for all`,
    )
    await refuses(
      server('--advertise-address', '0.0.0.0'),
      /--advertise-address: "0.0.0.0" is not valid: give an IPv4 address that other machines reach/,
    )
  })

  test('refuses ranges that get into each other’s way', async () => {
    await refuses(
      server('--service-cidr', '10.42.7.0/24'),
      '--service-cidr 10.42.7.0/24: overlaps --cluster-cidr 10.42.0.0/16: ' +
        'give ranges that are apart',
    )
    await refuses(
      server('--cluster-cidr', '10.89.0.0/16'),
      `--cluster-cidr 10.89.0.0/16: holds the address of this machine, ${machine.ip}: ` +
        'give another range',
    )
  })

  test('refuses a token that a server could not begin with', async () => {
    await refuses(
      server('--token', 'secret'),
      '--token: it must start with "K10": copy all of what kedge token create printed',
    )
    await refuses(
      server('--token', token),
      /^kedge: --token: it was made by another cluster than that of this server: give .+\n$/,
    )
    await refuses(
      server('--token-file', at('none')),
      `--token-file ${at('none')}: cannot be read: there is no such file: name a readable file`,
    )
  })

  test('refuses to join without what it takes', async () => {
    await refuses(
      agent(),
      '--server is missing: give --server or KEDGE_URL, such as https://ADDRESS:6443',
    )
    await refuses(
      agent('--server', url()),
      'this node has not joined yet: give --token or KEDGE_TOKEN, from kedge token create on the server',
    )
    await refuses(
      agent('--server', `http://${machine.ip}:6443`, '--token', token),
      /--server: "http:.+" is not valid: give an address such as https:/,
    )
  })

  test('refuses to join with a token that the server does not take', async () => {
    const unknown =
      '--token: the server does not know this token, or it has expired: ' +
      'make one with kedge token create'
    const join = (text: string) => agent('--server', url(), '--token', text)
    await refuses(
      join(token.slice(0, -1)),
      /its secret must be 16 of a-z and 0-9: copy all of what/,
    )
    await refuses(join(token.replace(/.{16}$/, 'a'.repeat(16))), unknown)
    await refuses(join(expired), unknown)
  })

  test('lists, rotates and takes back tokens, of which old ones are no good', async () => {
    const admin = ['--kubeconfig', await machine.adminKubeconfig()]
    const token = async (...args: string[]) => {
      const { code, stdout, stderr } = await kedge(['token', ...args, ...admin])
      expect([args, code, stderr]).toEqual([args, 0, ''])
      return stdout
    }
    const more = (await token('create', '--description', 'for the shed')).trim()
    const [, id] = /::(.{6}):/.exec(more)!
    const row = new RegExp(`^${id} +23h +\\d{4}-\\S+Z +for the shed$`, 'm')
    expect(await token('list')).toMatch(row)
    expect(await token('delete', more)).toBe(
      `token ${id} is deleted: machines that have joined stay\n`,
    )
    expect(await token('list')).not.toContain(id)
    await refuses(
      ['token', 'delete', id!, ...admin],
      `there is no token ${id}: see kedge token list`,
    )
    await refuses(
      ['token', 'delete', 'x', ...admin],
      '"x" is no token: give its id, as kedge token list shows it',
    )

    const path = join(machine.dataDir, 'server/token')
    const before = readFileSync(path, 'utf8')
    const [, old] = /::(.{6}):/.exec(before)!
    expect(await token('list')).toMatch(
      new RegExp(`^${old} +<forever> +<never> +The token that`, 'm'),
    )
    const after = await token('rotate', '--data-dir', machine.dataDir)
    expect(readFileSync(path, 'utf8')).toBe(after)
    expect(after.slice(0, 67)).toBe(before.slice(0, 67))
    const listed = await token('list')
    expect(listed).not.toContain(old)
    expect(listed).toContain(/::(.{6}):/.exec(after)![1]!)
  })

  test('refuses a second machine under a name that is taken, until the name is reset', async () => {
    const kubeconfig = await machine.adminKubeconfig()
    const kubectl = kubectlOf(kubeconfig)
    const box = await lab.addMachine('box')
    const twin = await lab.addMachine('twin')
    await box.join(machine, kubeconfig)
    const isThere = async () => (await kubectl.try(['get', 'node', 'box'])).code === 0
    await until('the first box', isThere, 60_000)

    const argv = [
      ...twin.agentArgv(url(), token).map((word) => (word === 'twin' ? 'box' : word)),
      ...['--log-level', 'info'],
    ]
    const tries = () => run(twin.on([KEDGE, ...argv]), { env: { KEDGE_CONFIG: '' } })
    expect(await tries()).toMatchObject({
      code: 1,
      stderr:
        'kedge: the server gave this node no certificate: the name "box" belongs to another key: ' +
        'if this is another machine, give it a name of its own (KEDGE_NODE_NAME or --node-name); ' +
        'if it is the same one made anew, run kedge node reset box on the server and let it join ' +
        'again\n',
    })
    expect((await run(['find', twin.dataDir, '-type', 'f'])).stdout).toBe('')

    const reset = (name: string) => kedge(['node', 'reset', name, '--kubeconfig', kubeconfig])
    expect((await reset('nobody')).stderr).toBe(
      'kedge: there is no node nobody, and none has joined as that: see kubectl get nodes\n',
    )
    expect((await reset('box')).stdout).toStartWith('node box is reset')
    await box.signal('SIGKILL')
    twin.start(argv)
    const ready = ['wait', 'node/box', '--for=condition=Ready', '--timeout=60s']
    await until(
      'the twin as box',
      async () => {
        const address = [
          'get',
          'node',
          'box',
          '-o',
          'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}',
        ]
        return (await kubectl.try(address)).stdout.trim() === twin.ip
      },
      60_000,
    )
    expect((await kubectl.try(ready)).code).toBe(0)
    // The first box is still on, with a certificate that is no longer taken.
    box.startAgain()
    await until('the first box hears of it', async () =>
      (await box.log()).includes('belongs to another key'),
    )
  }, 240_000)

  test('refuses to join a server that is not the one of the token', async () => {
    const other = token.replace(/^K10.{64}/, `K10${'0'.repeat(64)}`)
    await refuses(
      agent('--server', url(), '--token', other),
      `--token: the server at ${url()} has another CA than this token names: ` +
        'make a token on that server with kedge token create, or correct --server',
    )
  })

  test('says why a server cannot be reached', async () => {
    const join = (server: string) => agent('--server', server, '--token', token)
    const nobody = machine.ip.replace(/\d+$/, '99')
    await refuses(
      join(`https://${machine.ip}:6444`),
      `--server https://${machine.ip}:6444: nobody listens there: ` +
        'check the address, and that kedge server runs there',
    )
    await refuses(
      join(`https://${nobody}:6443`),
      `--server https://${nobody}:6443: there is no way to it: check the address and the network`,
    )
  }, 15_000)

  test('asks for root where root is needed, and only there', async () => {
    const asUser = (args: string[]) =>
      run(machine.on(['setpriv', '--reuid', '65534', '--clear-groups', at('kedge'), ...args]), {
        env: { KEDGE_CONFIG: '' },
      })
    expect((await asUser(server())).stderr).toBe(
      'kedge: kedge server needs root: run it with sudo, or run no node with --disable-agent\n',
    )
    expect((await asUser(agent('--server', url(), '--token', token))).stderr).toBe(
      'kedge: kedge agent needs root: run it with sudo\n',
    )
    expect((await asUser(server('--disable-agent'))).stderr).toBe(
      `kedge: --data-dir ${at('data')}: cannot write to ${place} (permission denied): ` +
        'run as root, or name another place\n',
    )
    expect((await asUser(['images', 'list'])).stderr).toBe(
      'kedge: kedge images needs root: run it with sudo\n',
    )
    expect(await asUser(['version'])).toMatchObject({ code: 0 })
  })

  test('says that no containerd is there, and starts none', async () => {
    const socket = at('run/containerd/containerd.sock')
    const why =
      `no containerd answers at ${socket}: start kedge on this machine, or name the socket with ` +
      '--containerd-address'
    await refuses(['images', 'list', '--run-dir', at('run')], why)
    await refuses(['images', 'import', '--run-dir', at('run'), at('file')], why)
    await refuses(
      ['images', 'import', at('none.tar')],
      `${at('none.tar')}: cannot be read: name an OCI or docker archive`,
    )
    await refuses(
      server('--containerd-address', at('none.sock')),
      `--containerd-address ${at('none.sock')}: there is no such socket: ` +
        'start that containerd, or leave the option out to have one started',
    )
  })

  test('makes tokens only where it may', async () => {
    await refuses(
      ['token', 'create', '--kubeconfig', at('none')],
      `--kubeconfig ${at('none')}: there is no such file: run this on the server, as root`,
    )
    await refuses(
      ['token', 'create', '--kubeconfig', at('file')],
      `--kubeconfig ${at('file')}: is not the kubeconfig that kedge server writes`,
    )
    await refuses(
      ['token', 'create', '--ttl', 'soon'],
      '--ttl: "soon" is not valid: give a duration such as 24h, or 0 for ever',
    )
    const away = readFileSync(machine.kubeconfig, 'utf8').replace(':6443', ':6444')
    writeFileSync(at('away.yaml'), away)
    await refuses(
      ['token', 'create', '--kubeconfig', at('away.yaml')],
      `the server at https://127.0.0.1:6444: nobody listens there: ` +
        'check the address, and that kedge server runs there',
    )
  })

  test('prints its version', async () => {
    const { version } = JSON.parse(
      readFileSync(join(import.meta.dir, '../../package.json'), 'utf8'),
    )
    for (const argument of ['version', '--version']) {
      const { code, stdout, stderr } = await kedge([argument])
      expect([code, stderr]).toEqual([0, ''])
      const commit = /^( \([0-9a-f]{9,}(-dirty)?\))?\n$/
      expect(stdout.slice(`kedge ${version}`.length)).toMatch(commit)
      expect(stdout).toStartWith(`kedge ${version}`)
    }
  })
})

describe.skipIf(reason !== undefined)(`a disk that fills up ${reason ?? ''}`, () => {
  test('refuses writes with a clear error, serves reads, and recovers', async () => {
    await using lab = await createLab()
    const machine = await lab.addMachine('server')
    mkdirSync(machine.dataDir)
    await ok(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', machine.dataDir])
    const filler = join(machine.dataDir, 'filler')
    machine.start(machine.serverArgv(['--disable-agent']))
    const kubectl = kubectlOf(await machine.adminKubeconfig())
    await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
    await kubectl(['create', 'configmap', 'before', '--from-literal=a=b'])

    await run(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=64k'])
    const big = `--from-literal=a=${'x'.repeat(100_000)}`
    const refused = await until('a write that is refused', async () => {
      const { code, stderr } = await kubectl.try(['create', 'configmap', `big-${Date.now()}`, big])
      return code === 0 ? undefined : stderr
    })
    expect(refused).toContain(': no space left for the data store: free some space and try again\n')
    const status = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'raw' }, data: { big } }
    const path = ['create', '--raw', '/api/v1/namespaces/default/configmaps', '-f', '-']
    expect((await kubectl.try(path, JSON.stringify(status))).stderr).toContain(
      'InsufficientStorage',
    )
    expect(await kubectl(['get', 'configmap', 'before', '-o', 'jsonpath={.data.a}'])).toBe('b')
    expect(await kubectl(['get', 'namespaces', '-o', 'name'])).toContain('namespace/kube-system\n')

    rmSync(filler)
    await until('a write that is taken', async () => {
      return (await kubectl.try(['create', 'configmap', 'after', big])).code === 0
    })
    await machine.signal('SIGKILL')
    machine.startAgain()
    await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
    const names = await kubectl(['get', 'configmaps', '-o', 'name'])
    expect(names).toContain('configmap/after\nconfigmap/before\n')
  }, 60_000)
})
