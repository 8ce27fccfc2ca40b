// The kubectl commands that change nothing, on what the example of the README made.

import { expect, test } from 'bun:test'
import { follow } from '../../support/follow.ts'
import { until } from '../../support/machines.ts'
import { type Cluster, useExample } from '../cluster.ts'
import type { Suite } from '../suite.ts'

export const lookingSuite: Suite = {
  name: 'looking',
  machines: { servers: 1, agents: 1 },
  isForEachKubectl: true,
  tests: lookingTests,
}

function lookingTests(get: () => Cluster, { program }: { program: string }): void {
  useExample(get)
  const kubectl = (...args: string[]) => get().kubectl.with({ program })(args)

  test('get nodes shows version, system and runtime', async () => {
    const [head, ...lines] = (await kubectl('get', 'nodes', '-o', 'wide')).trim().split('\n')
    expect(head).toMatch(/OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME/)
    expect(lines).toHaveLength(2)
    for (const line of lines) {
      expect(line).toMatch(
        /^(server|edge) +Ready .* v1\.36\.\S+ +10\.89\.\d+\.1[12] +<none> +Debian/,
      )
      expect(line).toMatch(/ \d+\.\d+\.\S+( \(\w+\))? +containerd:\/\/\d/)
    }
  })

  test('get -A prints every kind that is served', async () => {
    expect(await kubectl('get', 'all', '-A')).toContain('service/kubernetes')
    const names = await kubectl('api-resources', '--verbs=list', '-o', 'name')
    const kinds = names.trim().split('\n')
    expect(kinds.length).toBeGreaterThan(20)
    const printed = await kubectl('get', kinds.join(','), '-A', '--show-kind')
    for (const kind of ['pod/web-', 'endpointslice.discovery.k8s.io/web-', 'lease.coord']) {
      expect(printed).toContain(kind)
    }
  })

  test('prints in every form', async () => {
    const deployment = (form: string) => kubectl('get', 'deploy', 'web', '-o', form)
    expect(await deployment('name')).toBe('deployment.apps/web\n')
    expect(await deployment('yaml')).toContain('kind: Deployment')
    expect(JSON.parse(await deployment('json')).kind).toBe('Deployment')
    expect(await deployment('jsonpath={.spec.replicas}')).toBe('3')
    expect(await deployment('go-template={{.metadata.name}}')).toBe('web')
    expect(await deployment('custom-columns=N:.metadata.name')).toBe('N\nweb\n')
    expect(await deployment('wide')).toMatch(
      /web +3\/3 +3 +3 +\S+ +web +kedge-test\/web:1 +app=web/,
    )
    expect(await kubectl('get', 'pods', '-o', 'wide')).toContain('NOMINATED NODE')
    const labels = ['-l', 'app=web', '--show-labels', '--sort-by=.metadata.name']
    expect((await kubectl('get', 'pods', ...labels)).match(/app=web/g)).toHaveLength(3)
    const onEdge = ['--field-selector=spec.nodeName=edge', '--chunk-size=1', '-l', 'app=web']
    expect(await kubectl('get', 'pods', ...onEdge, '-o', 'name')).toMatch(/^(pod\/web-\S+\n)+$/)
  })

  test('describes all that the example made', async () => {
    const describe = (...what: string[]) => kubectl('describe', ...what)
    expect(await describe('deployment', 'web')).toContain('3 desired | 3 updated | 3 total')
    expect(await describe('rs', '-l', 'app=web')).toContain('3 current / 3 desired')
    const [pod] = await get().podsReady('app=web', 3)
    expect(await describe('pod', pod!.name)).toMatch(/Normal +Started/)
    expect(await describe('service', 'web')).toMatch(/NodePort: +<unset> +30080\/TCP/)
    expect(await describe('configmap', 'web')).toContain('hello from kedge')
    expect(await describe('secret', 'web')).toContain('password:  13 bytes')
    expect(await describe('node', 'edge')).toMatch(/HolderIdentity: +edge/)
    expect(await describe('node', 'edge')).toMatch(/default +web-\S+ +10m/)
    for (const kind of ['namespace', 'serviceaccount', 'endpointslice', 'events', 'clusterrole']) {
      expect(await describe(kind)).toContain('Name:')
    }
  })

  test('explains every kind, down to its fields', async () => {
    const path = 'pod.spec.containers.image'
    expect(await kubectl('explain', path)).toMatch(/FIELD: image <string>\s+DESCRIPTION:\s+\S/)
    expect(await kubectl('explain', 'deployment', '--recursive')).toContain('maxSurge')
    for (const line of (await kubectl('api-resources', '--no-headers')).trim().split('\n')) {
      const [name, version] = [line.split(/ +/)[0]!, line.split(/ +/).at(-3)!]
      const explained = await kubectl('explain', name, `--api-version=${version}`)
      expect(explained).toMatch(/DESCRIPTION:\s+\S/)
    }
  })

  test('lists what the API serves', async () => {
    const resources = await kubectl('api-resources')
    expect(resources).toMatch(/deployments +deploy +apps\/v1 +true +Deployment/)
    expect(await kubectl('api-versions')).toContain('apps/v1\n')
    expect(await kubectl('cluster-info')).toContain('is running at')
    expect(await kubectl('version')).toMatch(/Server Version: v1\.36\./)
    expect(await kubectl('auth', 'can-i', 'create', 'pods')).toBe('yes\n')
    expect(await kubectl('auth', 'whoami')).toContain('Username')
  })

  test('shows events, of all and of one object', async () => {
    // Of now: those of the start may be forgotten, when other suites came first.
    for (const count of [4, 3]) {
      await kubectl('scale', 'deployment/web', `--replicas=${count}`)
      await get().podsReady('app=web', count)
    }
    const ofWeb = () => kubectl('events', '--for', 'deployment/web')
    await until('the event', async () => (await ofWeb()).includes('ScalingReplicaSet'))
    expect(await kubectl('events', '-A', '--types=Normal')).toContain('RegisteredNode')
    expect(await kubectl('get', 'events')).toContain('Successfully assigned default/web-')
    expect(await kubectl('get', 'events.events.k8s.io')).toContain('SuccessfulCreate')
  })

  test('watches', async () => {
    const argv = get().kubectl.with({ program }).argv(['get', 'configmaps', '-w'])
    await using watch = follow(argv)
    await watch.until(/kube-root-ca.crt +1/)
    await kubectl('create', 'configmap', 'seen', '--from-literal=a=1')
    await watch.until(/\nseen +1/)
    await kubectl('delete', 'configmap', 'seen')
    await watch.until(/\nseen +1[^\n]*\nseen +1/)
  })
}
