// The kubectl commands that change something, in a namespace of their own.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { follow } from '../../support/follow.ts'
import { ok, run, until } from '../../support/machines.ts'
import type { Cluster } from '../cluster.ts'
import type { Suite } from '../suite.ts'

export const changingSuite: Suite = {
  name: 'changing',
  machines: { servers: 1, agents: 1 },
  isForEachKubectl: true,
  tests: changingTests,
}

function changingTests(
  get: () => Cluster,
  { program, version }: { program: string; version: string },
): void {
  const namespace = `ke-changing-${version.replace('.', '-')}`
  const own = () => get().kubectl.with({ program, namespace })
  const kubectl = (...args: string[]) => own()(args)

  beforeAll(async () => {
    await kubectl('create', 'namespace', namespace)
  }, 30_000)
  afterAll(async () => {
    await kubectl('delete', 'namespace', namespace, '--timeout=60s')
  }, 70_000)

  configTests(own)
  rolloutTests(own, get)
  podTests(own, get)
  terminalTests(own)
  deleteTests(own, get)
}

type GetKubectl = () => Cluster['kubectl']

function configTests(own: GetKubectl): void {
  const kubectl = (...args: string[]) => own()(args)

  test('labels, annotates and patches in every way', async () => {
    await kubectl('create', 'configmap', 'many', '--from-literal=a=1')
    await kubectl('label', 'configmap', 'many', 'x=y', 'gone=soon')
    await kubectl('label', 'configmap', 'many', 'gone-')
    await kubectl('annotate', 'configmap', 'many', 'note=here')
    const again = await own().try(['label', 'configmap', 'many', 'x=z'])
    expect(again.stderr).toContain('already has a value (y), and --overwrite is false')
    await kubectl('patch', 'configmap', 'many', '--type=merge', '-p', '{"data":{"b":"2"}}')
    await kubectl('patch', 'configmap', 'many', '--type=strategic', '-p', '{"data":{"c":"3"}}')
    const add = '[{"op":"add","path":"/data/d","value":"4"}]'
    await kubectl('patch', 'configmap', 'many', '--type=json', '-p', add)
    const { data, metadata } = await own().json(['get', 'configmap', 'many'])
    expect(data).toEqual({ a: '1', b: '2', c: '3', d: '4' })
    expect(metadata.labels).toEqual({ x: 'y' })
    expect(metadata.annotations).toEqual({ note: 'here' })
  })

  test('edits with the editor of the person', async () => {
    const argv = own().argv(['edit', 'configmap', 'many'])
    const edited = await ok(argv, { env: { KUBE_EDITOR: 'sed -i s/here/edited/' } })
    expect(edited).toBe('configmap/many edited\n')
    const note = await kubectl('get', 'configmap', 'many', '-o', 'jsonpath={.metadata.annotations}')
    expect(note).toBe('{"note":"edited"}')
    const unchanged = await run(argv, { env: { KUBE_EDITOR: 'true' } })
    expect(unchanged.stderr).toContain('Edit cancelled, no changes made.')
  })

  test('applies on both sides, shows differences and refuses conflicts', async () => {
    const manifest = (value: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {k: ${value}}\n`
    const apply = (value: string, ...more: string[]) =>
      own().try(['apply', '-f', '-', ...more], manifest(value))
    expect((await apply('one')).stdout).toBe('configmap/applied created\n')
    expect((await apply('one')).stdout).toBe('configmap/applied unchanged\n')
    const diff = await own().try(['diff', '-f', '-'], manifest('two'))
    expect(diff.code).toBe(1)
    expect(diff.stdout).toContain('+  k: two')
    expect((await apply('two', '--dry-run=server')).stdout).toContain('configured (server dry run)')
    const other = ['--server-side', '--field-manager=other']
    expect((await apply('two', ...other)).stderr).toContain('Apply failed with 1 conflict')
    expect((await apply('two', ...other, '--force-conflicts')).code).toBe(0)
    expect((await apply('two')).stdout).toBe('configmap/applied configured\n')
    expect((await own().try(['diff', '-f', '-'], manifest('two'))).code).toBe(0)
    await own()(['replace', '-f', '-'], manifest('three'))
    expect(await kubectl('get', 'configmap', 'applied', '-o', 'jsonpath={.data.k}')).toBe('three')
  })

  test('refuses what is wrong, and says where', async () => {
    const wrong = (text: string) => own().try(['apply', '-f', '-'], text)
    const unknown = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\nfoo: {}\n'
    expect((await wrong(unknown)).stderr).toContain('unknown field "foo"')
    const name = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: W_}\n'
    expect((await wrong(name)).stderr).toContain('metadata.name: Invalid value: "W_"')
    const nothing = (await own().try(['get', 'nothing'])).stderr
    expect(nothing).toContain('the server doesn\'t have a resource type "nothing"')
  })

  test('gives rights, and only those', async () => {
    const who = `--as=system:serviceaccount:${own().namespace}:reader`
    await kubectl('create', 'serviceaccount', 'reader')
    await kubectl('create', 'role', 'read', '--verb=get,list', '--resource=pods')
    const subject = `--serviceaccount=${own().namespace}:reader`
    await kubectl('create', 'rolebinding', 'read', '--role=read', subject)
    expect(await kubectl('auth', 'can-i', 'list', 'pods', who)).toBe('yes\n')
    expect((await own().try(['get', 'secrets', who])).stderr).toContain('secrets is forbidden')
    const token = (await kubectl('create', 'token', 'reader')).trim()
    const asReader = ['--token', token, '--kubeconfig', '/dev/null', '--server']
    const { clusters } = await own().json(['config', 'view', '--raw'])
    const server = [clusters[0].cluster.server, '--insecure-skip-tls-verify']
    const listed = await own().try(['get', 'pods', ...asReader, ...server])
    expect(listed).toMatchObject({ code: 0, stderr: expect.stringContaining('No resources found') })
  })
}

function rolloutTests(own: GetKubectl, get: () => Cluster): void {
  const kubectl = (...args: string[]) => own()(args)
  const rolledOut = async () => {
    const status = await kubectl('rollout', 'status', 'deployment/site', '--timeout=90s')
    expect(status).toContain('successfully rolled out')
  }
  const image = () =>
    kubectl('get', 'deploy', 'site', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')

  test('rolls out, back and anew', async () => {
    await kubectl('create', 'deployment', 'site', '--image=kedge-test/web:1', '--replicas=2')
    await rolledOut()
    await kubectl('set', 'image', 'deployment/site', 'web=docker.io/kedge-test/web:1')
    await rolledOut()
    expect(await kubectl('rollout', 'history', 'deployment/site')).toMatch(/1 .*\n2 /)
    await kubectl('rollout', 'undo', 'deployment/site')
    await rolledOut()
    expect(await image()).toBe('kedge-test/web:1')
    await kubectl('rollout', 'restart', 'deployment/site')
    await rolledOut()
    const pods = await get().podsReady('app=site', 2, own())
    expect(new Set(pods.map(({ restarts }) => restarts))).toEqual(new Set([0]))
  })

  test('pauses a rollout and resumes it', async () => {
    await kubectl('rollout', 'pause', 'deployment/site')
    await kubectl('set', 'env', 'deployment/site', 'COLOUR=blue')
    const before = await kubectl('get', 'rs', '-l', 'app=site', '-o', 'name')
    await kubectl('rollout', 'resume', 'deployment/site')
    await rolledOut()
    expect(await kubectl('get', 'rs', '-l', 'app=site', '-o', 'name')).not.toBe(before)
  })

  test('scales up and down, to nothing too', async () => {
    for (const count of [4, 0, 1]) {
      await kubectl('scale', 'deployment/site', `--replicas=${count}`)
      await get().podsReady('app=site', count, own())
    }
    const wrong = ['scale', 'deployment/site', '--replicas=2', '--current-replicas=9']
    expect((await own().try(wrong)).stderr).toContain('Expected replicas to be 9, was 1')
  })
}

function podTests(own: GetKubectl, get: () => Cluster): void {
  const kubectl = (...args: string[]) => own()(args)

  test('runs, waits, exposes and watches', async () => {
    await using watch = follow(own().argv(['get', 'pods', '-w', '-l', 'run=lone']))
    await kubectl('run', 'lone', '--image=kedge-test/web:1', '--port=8080')
    await kubectl('wait', '--for=condition=Ready', 'pod/lone', '--timeout=60s')
    await kubectl('wait', '--for=jsonpath={.status.phase}=Running', 'pod/lone', '--timeout=60s')
    await watch.until(/lone +1\/1 +Running/)
    await kubectl('expose', 'pod', 'lone', '--port=80', '--target-port=8080')
    const ip = await kubectl('get', 'service', 'lone', '-o', 'jsonpath={.spec.clusterIP}')
    const { curl, edge } = get()
    const page = () => curl(edge, `http://${ip}/page.html`)
    await until('the Service', async () => (await page()) === 'a page\n')
    await kubectl('delete', 'pod', 'lone', '--wait=false')
    await kubectl('wait', '--for=delete', 'pod/lone', '--timeout=60s')
    await watch.until(/lone +1\/1 +Terminating/)
  })

  test('runs a command once, shows what it says and removes it', async () => {
    const once = ['run', 'once', '--rm', '-i', '--restart=Never', '--image=kedge-test/busybox:1']
    const said = await own().try(
      [...once, '--', 'sh', '-c', 'read word; echo said $word'],
      'word\n',
    )
    expect(said.stdout).toContain('said word\n')
    expect(said.stdout).toContain('pod "once" deleted')
    expect(said.code).toBe(0)
    expect((await own().try(['get', 'pod', 'once'])).stderr).toContain('not found')
  })
}

function terminalTests(own: GetKubectl): void {
  test('runs a shell in a terminal, and shows how it ended', async () => {
    const shell = ['run', 'shell', '-it', '--restart=Never', '--image=kedge-test/busybox:1']
    await using terminal = follow(own().argv([...shell, '--', 'sh']), {
      terminal: { cols: 91, rows: 33 },
    })
    await terminal.until(/[#$] /)
    terminal.terminal!.write('tty; until [ "$(stty size)" = "33 91" ]; do :; done; echo $((6*7))\n')
    await terminal.until(/\/dev\/(pts\/0|console)[\s\S]*42\r\n/)
    terminal.terminal!.write('exit 4\n')
    expect(await terminal.exited).toBe(4)
    const code = '-o=jsonpath={.status.containerStatuses[0].state.terminated.exitCode}'
    expect(await own()(['get', 'pod', 'shell', code])).toBe('4')
    expect(await own()(['logs', 'shell'])).toContain('42')
  })
}

function deleteTests(own: GetKubectl, get: () => Cluster): void {
  const kubectl = (...args: string[]) => own()(args)

  for (const cascade of ['background', 'foreground', 'orphan']) {
    test(`deletes with --cascade=${cascade}`, async () => {
      const name = `gone-${cascade}`
      const left = (kind: string) => kubectl('get', kind, '-l', `app=${name}`, '-o', 'name')
      await kubectl('create', 'deployment', name, '--image=kedge-test/web:1')
      await get().podsReady(`app=${name}`, 1, own())
      await kubectl('delete', 'deployment', name, `--cascade=${cascade}`, '--timeout=60s')
      if (cascade === 'foreground') expect(await left('rs,pods')).toBe('')
      if (cascade === 'orphan') {
        expect(await left('rs')).toStartWith(`replicaset.apps/${name}`)
        const owners = '-o=jsonpath={.items[*].metadata.ownerReferences}'
        expect(await kubectl('get', 'rs', '-l', `app=${name}`, owners)).toBe('')
        await kubectl('delete', 'rs', '-l', `app=${name}`)
      }
      await until('all of it to go', async () => (await left('rs,pods')) === '')
    })
  }

  test('deletes by label, from a file, and at once', async () => {
    for (const name of ['one', 'two']) {
      await kubectl(
        'run',
        name,
        '--image=kedge-test/busybox:1',
        '-l',
        'set=x',
        '--',
        'sleep',
        '900',
      )
    }
    await kubectl('wait', 'pod', '-l', 'set=x', '--for=condition=Ready', '--timeout=60s')
    const gone = await kubectl('delete', 'pod', '-l', 'set=x', '--now')
    expect(gone.match(/deleted/g)).toHaveLength(2)
    const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\n'
    expect(await own()(['delete', '-f', '-'], configMap)).toContain('configmap "applied" deleted')
    expect(await kubectl('delete', 'configmap', 'absent', '--ignore-not-found')).toBe('')
  })
}
