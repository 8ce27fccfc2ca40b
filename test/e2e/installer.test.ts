// The two scripts, for real: on machines of their own, with pods running and things of others around.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testImages } from '../images/recipes.ts'
import { startRegistry } from '../images/registry.ts'
import { Box, linkPrograms, plugTogether, type Snapshot, snapshotOf } from '../support/box.ts'
import { cannotRun, KEDGE, KUBECTL } from '../support/machines.ts'

const INSTALL = ['sh', 'installer/install.sh']
const UNINSTALL = ['sh', 'installer/uninstall.sh']
const VERSION = 'kedge [0-9.]+( \\([0-9a-f]+(-dirty)?\\))?'
const SERVER = 'https://10.89.8.2:6443'
const KUBECONFIG = '/etc/kedge/kubeconfig.yaml'

/** Pods that leave as much behind as pods can. */
const PODS = `
apiVersion: v1
kind: Pod
metadata: { name: heavy }
spec:
  nodeName: NODE
  shareProcessNamespace: true
  containers:
    - name: terminal
      image: kedge-test/busybox:1
      command: [sh]
      stdin: true
      tty: true
      ports: [{ containerPort: 80, hostPort: 8080 }]
      volumeMounts:
        - { name: memory, mountPath: /memory }
        - { name: precious, mountPath: /precious }
        - { name: precious, mountPath: /deep, subPath: deep }
    - name: stubborn
      image: kedge-test/busybox:1
      command: [sh, -c, 'trap "" TERM; sleep 1000 & sleep 2000']
  volumes:
    - { name: memory, emptyDir: { medium: Memory } }
    - { name: precious, hostPath: { path: /var/lib/precious } }
---
apiVersion: v1
kind: Pod
metadata: { name: host }
spec:
  nodeName: NODE
  hostNetwork: true
  hostPID: true
  containers:
    - { name: main, image: kedge-test/web:1, ports: [{ containerPort: 8081 }], env: [{ name: PORT, value: '8081' }] }
`

/** What must be the same after everything: a firewall, a namespace, a containerd, files of others. */
const OTHERS = `
nft -f - <<'END'
table ip firewall {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ip saddr 10.99.0.0/16 accept
  }
}
END
ip netns add other
mkdir -p /var/lib/precious/deep /var/lib/other /run/other
echo gold >/var/lib/precious/deep/file
printf 'version = 2\\nroot = "/var/lib/other"\\nstate = "/run/other"\\n' >/etc/other.toml
printf '[grpc]\\naddress = "/run/other/containerd.sock"\\n' >>/etc/other.toml
setsid containerd --config /etc/other.toml >/var/lib/other.log 2>&1 &
until ctr --address /run/other/containerd.sock version >/dev/null 2>&1; do sleep 0.1; done
`
/** Any node clears away logs of pods that it does not know: these come when it is gone. */
const OTHER_LOGS = `
mkdir -p /var/log/pods/ns_other_11111111-2222-3333-4444-555555555555 /var/log/containers
ln -sfn /var/log/pods/ns_other_11111111-2222-3333-4444-555555555555 /var/log/containers/other.log
`

function imageLinesOfReadme(): string {
  const readme = readFileSync('README.md', 'utf8')
  const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, lines]) => lines!)
  const lines = blocks.find((block) => block.includes('kedge images import'))
  if (lines === undefined) throw new Error('README.md says nothing of images')
  return lines
}

const reason = cannotRun()

describe.skipIf(reason !== undefined)(`the installer ${reason ?? ''}`, () => {
  let server: Box
  let edge: Box
  let withoutKubectl = ''
  const before = new Map<Box, Snapshot>()

  beforeAll(async () => {
    server = await Box.create('kib-server', '10.89.8.2/24')
    edge = await Box.create('kib-edge', '10.89.8.3/24')
    await plugTogether(server, edge)
    // As in a checkout in which nobody has built anything yet.
    await server.shell('mount -t tmpfs tmpfs dist')
    withoutKubectl = linkPrograms(join(server.folder, 'programs'), ['kubectl'])
    for (const box of [server, edge]) {
      await box.shell(OTHERS)
      await box.shell(OTHER_LOGS)
      before.set(box, await snapshotOf(box))
    }
  }, 60_000)

  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  }, 30_000)

  const kubectl = (...args: string[]) => server.ok([KUBECTL, '--kubeconfig', KUBECONFIG, ...args])
  const ready = async () =>
    (await kubectl('get', 'nodes', '--no-headers')).match(/^\S+ +Ready /gm)?.length ?? 0

  test('builds and starts a server, and prints one line for each step', async () => {
    // Without systemd and without kubectl, whatever else is on the machine of who runs this.
    const env = { PATH: withoutKubectl, KEDGE_KUBECONFIG_MODE: '0640' }
    const lines = (await server.ok(INSTALL, { env })).trim().split('\n')
    expect(lines).toEqual([
      'packages: all there',
      expect.stringMatching(
        new RegExp(`^executable: installed /usr/local/bin/kedge \\(${VERSION}\\), built from /.+$`),
      ),
      'configuration: wrote /etc/kedge/config.yaml',
      expect.stringMatching(
        /^process: started \(pid \d+, log \/var\/log\/kedge.log; no systemd here/,
      ),
      'node: kib-server is Ready',
      `kubeconfig: ${KUBECONFIG}`,
      'kubectl: is not here: see https://kubernetes.io/docs/tasks/tools',
      `next: export KUBECONFIG=${KUBECONFIG} && kubectl get nodes`,
      'more machines: bring what kedge token create prints there, as a FILE; then there:',
      `  sudo KEDGE_TOKEN_FILE=FILE KEDGE_URL=${SERVER} sh installer/install.sh`,
    ])
    expect(await ready()).toBe(1)
    expect(await server.shell(`stat -c %a ${KUBECONFIG} /etc/kedge/config.yaml`)).toBe('640\n600\n')
  }, 120_000)

  test('changes nothing the second time, and says so', async () => {
    const seen = await snapshotOf(server)
    const pid = await server.shell('cat /run/kedge/kedge.pid')
    const said = await server.ok(INSTALL)
    expect(said).not.toContain('kubectl: is not here')
    expect(said).toMatch(
      new RegExp(`^executable: /usr/local/bin/kedge is current \\(${VERSION}\\)$`, 'm'),
    )
    expect(said).toContain('configuration: /etc/kedge/config.yaml is there, left as it is\n')
    expect(said).toContain(`process: running (pid ${pid.trim()})\n`)
    expect(said).toContain('\nnothing to change\n')
    // The data store grows as a cluster lives; nothing else may.
    const still = ({ state, ...rest }: Snapshot) => ({
      ...rest,
      state: state.filter((line) => !line.includes('/server/db/')),
    })
    expect(still(await snapshotOf(server))).toEqual(still(seen))
  }, 60_000)

  test('tells why a machine cannot join, and leaves nothing configured', async () => {
    const token = (await server.ok(['kedge', 'token', 'create'])).trim()
    // As the person typed it, not as the executable got it.
    const faults: [url: string, token: string, message: RegExp][] = [
      [SERVER, 'K10', /KEDGE_TOKEN: .*copy all of what kedge token create printed/],
      [SERVER, token.replace(/::.*/, '::abcdef:0123456789abcdef'), /does not know this token/],
      [SERVER, token.replace(/^K10....../, 'K10000000'), /has another CA than this token names/],
      ['https://10.89.8.2:6444', token, /KEDGE_URL .*: nobody listens there: check the address/],
    ]
    for (const [url, bad, message] of faults) {
      const env = { KEDGE_URL: url, KEDGE_TOKEN: bad, INSTALL_KEDGE_BIN: KEDGE }
      const { code, stderr } = await edge.run(INSTALL, { env })
      expect(code).toBe(1)
      expect(stderr).toMatch(/^install.sh: kedge did not start: .*\n$/)
      expect(stderr).toMatch(message)
      expect((await edge.run(['ls', '/etc/kedge', '/var/lib/kedge'])).stdout).toBe('')
    }
  }, 60_000)

  test('joins with the token that the server prints', async () => {
    const token = await server.ok(['kedge', 'token', 'create', '--ttl', '1h'])
    const file = join(edge.folder, 'token')
    writeFileSync(file, token)
    const env = { KEDGE_URL: SERVER, KEDGE_TOKEN_FILE: file, KEDGE_NODE_LABEL: 'place=edge' }
    const said = await edge.ok(INSTALL, { env: { ...env, INSTALL_KEDGE_BIN: KEDGE } })
    expect(said).toContain('node: kib-edge is Ready\nnext, on the server: kubectl get nodes\n')
    expect(await ready()).toBe(2)
    expect(await kubectl('get', 'nodes', '-l', 'place=edge', '-o', 'name')).toBe('node/kib-edge\n')
    // The same words again, and none at all.
    for (const words of [env, {}]) {
      const again = await edge.ok(INSTALL, { env: { ...words, INSTALL_KEDGE_BIN: KEDGE } })
      expect(again).toContain('\nnothing to change\n')
    }
    const secret = token.trim().slice(-16)
    // The file that was named may go: it lies where only root reads it, and in no arguments.
    const readable =
      'find /etc /run /var/lib/kedge -type f -perm /044 -exec grep -l "$0" {} + || true'
    expect(await edge.ok(['sh', '-c', readable, secret])).toBe('')
    expect(await edge.ok(['stat', '-c', '%a', '/etc/kedge/token'])).toBe('600\n')
    expect(await edge.ok(['ps', '-eo', 'args='])).not.toContain(secret)
  }, 60_000)

  test('asks for a decision when what is asked for is not what is configured', async () => {
    const wrong = await edge.run(INSTALL, { env: { KEDGE_URL: 'https://10.89.8.9:6443' } })
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      'install.sh: KEDGE_URL: /etc/kedge/config.yaml is there, and stays as it is: put ' +
        'server: "https://10.89.8.9:6443" there, then run this again\n',
    ])
    const role = await edge.run(INSTALL, { env: { INSTALL_KEDGE_EXEC: 'server' } })
    expect(role.stderr).toContain('this machine runs kedge agent: take that away with')
  })

  test('starts kedge again when the configuration has changed, and no pod notices', async () => {
    // As pasted from the README; whoever runs it here is root already.
    const programs = linkPrograms(join(server.folder, 'with-sudo'), ['sudo'])
    writeFileSync(join(programs, 'sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
    const PATH = `${programs}:/usr/local/bin`
    for (const box of [server, edge]) {
      const tar = join(box.folder, 'images.tar')
      const lines = imageLinesOfReadme().replaceAll('/tmp/images.tar', tar)
      const said = await box.ok(['sh', '-euc', lines], { env: { PATH } })
      await box.shell('rm -rf /var/lib/apt') // What apt-get keeps for itself.
      expect(said).toEndWith(
        'imported docker.io/kedge-test/busybox:1\nimported docker.io/kedge-test/web:1\n',
      )
      expect(await box.ok(['kedge', 'images', 'list'])).toMatch(
        /^IMAGE +ID +SIZE\ndocker.io\/kedge-test\/busybox:1 +[0-9a-f]{12} +[0-9.]+ MB\n/,
      )
      const pods = PODS.replaceAll('NODE', box.name).replaceAll(
        /name: (heavy|host) /g,
        `name: $1-${box.name} `,
      )
      const argv = [KUBECTL, '--kubeconfig', KUBECONFIG, 'apply', '-f', '-']
      await server.ok(argv, { stdin: pods })
    }
    await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s')
    const ids = () => kubectl('get', 'pods', '-o', 'jsonpath={..containerID} {..restartCount}')
    const running = await ids()
    await edge.shell('echo "log-level: debug" >>/etc/kedge/config.yaml')
    const said = await edge.ok(INSTALL, { env: { INSTALL_KEDGE_BIN: KEDGE } })
    expect(said).toContain('process: started')
    expect(await ids()).toBe(running)
  }, 90_000)

  test('starts kedge again when registries.yaml has changed, and pulls from the mirror', async () => {
    const registry = await startRegistry(
      { folder: join(edge.folder, 'registry'), on: (argv) => edge.argv(argv) },
      (await testImages()).slice(0, 1),
    )
    const stdin = `mirrors: { registry.example.com: { endpoint: ['http://${registry.host}'] } }\n`
    await edge.ok(['tee', '/etc/kedge/registries.yaml'], { stdin })
    const said = await edge.ok(INSTALL, { env: { INSTALL_KEDGE_BIN: KEDGE } })
    expect(said).toContain('process: started')
    const image = '--image=registry.example.com/kedge-test/busybox:1'
    const overrides = `--overrides={"spec":{"nodeName":"${edge.name}"}}`
    await kubectl('run', 'mirrored', image, overrides, '--command', '--', 'sleep', '1000')
    await kubectl('wait', '--for=condition=Ready', 'pod/mirrored', '--timeout=60s')
    await edge.shell('kill $(pidof docker-registry)')
    await registry.stop()
  }, 90_000)

  test('builds and starts what is newer than what is there, and no pod notices', async () => {
    const ids = () => kubectl('get', 'pods', '-o', 'jsonpath={..containerID} {..restartCount}')
    const running = await ids()
    // As after git pull: the sources are newer than what was built, and that is another one.
    await server.shell('touch -d 2001-01-01 dist/kedge')
    const older = join(server.folder, 'older')
    writeFileSync(older, '#!/bin/sh\necho kedge 0.0.9\n', { mode: 0o755 })
    await server.ok(['cp', '--remove-destination', older, '/usr/local/bin/kedge'])
    const said = await server.ok(INSTALL)
    expect(said).toMatch(
      new RegExp(`^executable: replaced kedge 0.0.9 by ${VERSION}, built from /.+$`, 'm'),
    )
    expect(said).toContain('process: started')
    expect(await ready()).toBe(2)
    expect(await ids()).toBe(running)
    expect(await server.ok(INSTALL)).toContain('\nnothing to change\n')
  }, 120_000)

  for (const which of ['a node that joined', 'a server that was killed']) {
    test(`takes ${which} away, with all that it made and nothing else`, async () => {
      const box = which === 'a node that joined' ? edge : server
      if (box === server) await box.shell('kill -9 "$(cat /run/kedge/kedge.pid)"')
      await box.shell(OTHER_LOGS)
      const said = await box.ok(UNINSTALL)
      expect(said).toMatch(/^pods: ended \d+ processes$/m)
      expect(said).toContain('packages: left as they are\n')
      const goodbye = 'next, on the server: kubectl delete node kib-edge\n'
      expect(said.includes(goodbye)).toBe(box === edge)
      expect(await snapshotOf(box)).toEqual(before.get(box)!)
      expect(await box.shell('cat /var/lib/precious/deep/file')).toBe('gold\n')
      expect(await box.ok(UNINSTALL)).toBe('nothing to remove\n')
    }, 60_000)
  }
})
