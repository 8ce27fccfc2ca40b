// The two scripts, for real: on machines of their own, with pods running and things of others around.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ociArchive } from '../images/image.ts'
import { testImages } from '../images/recipes.ts'
import { Box, plugTogether, type Snapshot, snapshotOf } from '../support/box.ts'
import { cannotRun, KEDGE, KUBECTL } from '../support/machines.ts'

const INSTALL = ['sh', 'installer/install.sh']
const UNINSTALL = ['sh', 'installer/uninstall.sh']
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

const reason = cannotRun()

describe.skipIf(reason !== undefined)(`the installer ${reason ?? ''}`, () => {
  let server: Box
  let edge: Box
  const before = new Map<Box, Snapshot>()

  beforeAll(async () => {
    server = await Box.create('kib-server', '10.89.8.2/24')
    edge = await Box.create('kib-edge', '10.89.8.3/24')
    await plugTogether(server, edge)
    // As in a checkout in which nobody has built anything yet.
    await server.shell('mount -t tmpfs tmpfs dist')
    const tar = join(server.folder, 'images.tar')
    writeFileSync(tar, ociArchive(await testImages()))
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

  test('refuses what cannot be meant, and touches nothing', async () => {
    const faults: [Record<string, string>, string][] = [
      [{ INSTALL_KEDGE_EXEC: 'sever' }, '"sever" is neither server nor agent'],
      [{ INSTALL_KEDGE_EXEC: 'agent' }, 'KEDGE_URL is missing'],
      [{ KEDGE_URL: SERVER }, 'KEDGE_TOKEN is missing: print one with kedge token create'],
    ]
    for (const [env, message] of faults) {
      const { code, stdout, stderr } = await server.run(INSTALL, { env })
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toStartWith('install.sh: ')
      expect(stderr).toContain(message)
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
    const user = await server.run(['setpriv', '--reuid', '65534', '--clear-groups', ...INSTALL])
    expect([user.code, user.stderr]).toEqual([
      1,
      'install.sh: needs root: run sudo sh installer/install.sh\n',
    ])
    expect(await snapshotOf(server)).toEqual(before.get(server)!)
  })

  test('builds and starts a server, and prints one line for each step', async () => {
    const lines = (await server.ok(INSTALL)).trim().split('\n')
    expect(lines).toEqual([
      'packages: all there',
      expect.stringMatching(
        /^executable: built and installed \/usr\/local\/bin\/kedge \(kedge [0-9.]+\)$/,
      ),
      'configuration: wrote /etc/kedge/config.yaml',
      expect.stringMatching(
        /^process: started \(pid \d+, log \/var\/log\/kedge.log; no systemd here/,
      ),
      'node: kib-server is Ready',
      `kubeconfig: ${KUBECONFIG}`,
      `next: export KUBECONFIG=${KUBECONFIG} && kubectl get nodes`,
      'more machines: print a TOKEN with kedge token create; then there:',
      `  sudo KEDGE_URL=${SERVER} KEDGE_TOKEN=TOKEN sh installer/install.sh`,
    ])
    expect(await ready()).toBe(1)
    expect(await server.shell(`stat -c %a ${KUBECONFIG} /etc/kedge/config.yaml`)).toBe('600\n600\n')
  }, 120_000)

  test('changes nothing the second time, and says so', async () => {
    const seen = await snapshotOf(server)
    const pid = await server.shell('cat /run/kedge/kedge.pid')
    const said = await server.ok(INSTALL)
    expect(said).toContain('executable: /usr/local/bin/kedge is current\n')
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
    const faults: [url: string, token: string, message: RegExp][] = [
      [SERVER, 'K10', /--token: .*copy all of what kedge token create printed/],
      [SERVER, token.replace(/::.*/, '::abcdef:0123456789abcdef'), /does not know this token/],
      [SERVER, token.replace(/^K10....../, 'K10000000'), /has another CA than this token names/],
      ['https://10.89.8.2:6444', token, /nobody listens there: check the address/],
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
    const token = (await server.ok(['kedge', 'token', 'create', '--ttl', '1h'])).trim()
    const env = { KEDGE_URL: SERVER, KEDGE_TOKEN: token, KEDGE_NODE_LABEL: 'place=edge' }
    const said = await edge.ok(INSTALL, { env: { ...env, INSTALL_KEDGE_BIN: KEDGE } })
    expect(said).toContain('node: kib-edge is Ready\nnext, on the server: kubectl get nodes\n')
    expect(await ready()).toBe(2)
    expect(await kubectl('get', 'nodes', '-l', 'place=edge', '-o', 'name')).toBe('node/kib-edge\n')
    const again = await edge.ok(INSTALL, { env: { INSTALL_KEDGE_BIN: KEDGE } })
    expect(again).toContain('\nnothing to change\n')
  }, 60_000)

  test('asks for a decision when what is asked for is not what is configured', async () => {
    const wrong = await edge.run(INSTALL, { env: { KEDGE_URL: 'https://10.89.8.9:6443' } })
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      'install.sh: KEDGE_URL: /etc/kedge/config.yaml says otherwise: ' +
        'change server there, then run this again\n',
    ])
    const role = await edge.run(INSTALL, { env: { INSTALL_KEDGE_EXEC: 'server' } })
    expect(role.stderr).toContain('this machine runs kedge agent: take that away with')
  })

  test('starts kedge again when the configuration has changed, and no pod notices', async () => {
    const tar = join(server.folder, 'images.tar')
    for (const box of [server, edge]) {
      const said = await box.ok(['kedge', 'images', 'import', tar])
      expect(said).toBe(
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

  for (const which of ['a node that joined', 'a server that was killed']) {
    test(`takes ${which} away, with all that it made and nothing else`, async () => {
      const box = which === 'a node that joined' ? edge : server
      if (box === server) await box.shell('kill -9 "$(cat /run/kedge/kedge.pid)"')
      await box.shell(OTHER_LOGS)
      const said = await box.ok(UNINSTALL)
      expect(said).toMatch(/^pods: ended \d+ processes$/m)
      expect(said).toContain('packages: left as they are\n')
      expect(await snapshotOf(box)).toEqual(before.get(box)!)
      expect(await box.shell('cat /var/lib/precious/deep/file')).toBe('gold\n')
      expect(await box.ok(UNINSTALL)).toBe('nothing to remove\n')
    }, 60_000)
  }
})
