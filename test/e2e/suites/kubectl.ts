// The kubectl commands of every day, against the kinds that are served.

import { describe, expect, test } from 'bun:test'
import { until } from '../../support/machines.ts'
import type { Cluster } from '../cluster.ts'

export function kubectlSuite(get: () => Cluster): void {
  const kubectl = (...args: string[]) => get().kubectl(args)

  describe('kubectl', () => {
    test('get nodes shows version, system and runtime', async () => {
      const wide = await kubectl('get', 'nodes', '-o', 'wide')
      for (const line of wide.trim().split('\n').slice(1)) {
        expect(line).toMatch(
          /^(server|edge) +Ready .* v1\.36\.3\S* +10\.89\.7\.1[12] +<none> +Debian/,
        )
        expect(line).toContain('containerd://')
      }
    })

    test('prints in every form', async () => {
      expect(await kubectl('get', 'deploy', 'web', '-o', 'name')).toBe('deployment.apps/web\n')
      expect(await kubectl('get', 'deploy', 'web', '-o', 'yaml')).toContain('kind: Deployment')
      expect(await kubectl('get', 'all', '-A')).toContain('service/kubernetes')
      expect(await kubectl('get', 'pods', '-o', 'wide')).toContain('NOMINATED NODE')
      expect(await kubectl('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}')).toBe('3')
    })

    test('describes, explains and lists what there is', async () => {
      expect(await kubectl('describe', 'deployment', 'web')).toContain('3 desired | 3 updated')
      expect(await kubectl('describe', 'node', 'edge')).toMatch(/HolderIdentity: +edge/)
      expect(await kubectl('describe', 'pods', '-l', 'app=web')).toContain('Started')
      expect(await kubectl('explain', 'pod.spec.containers.image')).toContain(
        'FIELD: image <string>',
      )
      expect(await kubectl('api-resources')).toMatch(
        /deployments +deploy +apps\/v1 +true +Deployment/,
      )
      expect(await kubectl('events', '--for', 'deployment/web')).toContain('ScalingReplicaSet')
      expect(await kubectl('auth', 'can-i', 'create', 'pods')).toBe('yes\n')
    })

    test('rolls out, back and anew', async () => {
      const status = () => kubectl('rollout', 'status', 'deployment/web', '--timeout=90s')
      await kubectl('set', 'env', 'deployment/web', 'COLOUR=blue')
      expect(await status()).toContain('successfully rolled out')
      expect(await kubectl('rollout', 'history', 'deployment/web')).toMatch(/1 .*\n2 /)
      await kubectl('rollout', 'undo', 'deployment/web')
      await status()
      await kubectl('rollout', 'restart', 'deployment/web')
      await status()
      await kubectl('scale', 'deployment/web', '--replicas=1')
      await get().podsReady('app=web', 1)
      await kubectl('scale', 'deployment/web', '--replicas=3')
      await get().podsReady('app=web', 3)
    })

    test('labels, annotates and patches in every way', async () => {
      await kubectl('create', 'configmap', 'many', '--from-literal=a=1')
      await kubectl('label', 'configmap', 'many', 'x=y')
      await kubectl('annotate', 'configmap', 'many', 'note=here')
      await kubectl('patch', 'configmap', 'many', '--type=merge', '-p', '{"data":{"b":"2"}}')
      await kubectl('patch', 'configmap', 'many', '--type=strategic', '-p', '{"data":{"c":"3"}}')
      const add = '[{"op":"add","path":"/data/d","value":"4"}]'
      await kubectl('patch', 'configmap', 'many', '--type=json', '-p', add)
      const { data, metadata } = await get().kubectl.json(['get', 'configmap', 'many'])
      expect(data).toEqual({ a: '1', b: '2', c: '3', d: '4' })
      expect(metadata).toMatchObject({ labels: { x: 'y' }, annotations: { note: 'here' } })
    })

    test('applies on both sides, shows differences and refuses conflicts', async () => {
      const manifest = (value: string) =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {k: ${value}}\n`
      const { kubectl } = get()
      const apply = (value: string, ...more: string[]) =>
        kubectl.try(['apply', '-f', '-', ...more], manifest(value))
      expect((await apply('one')).stdout).toBe('configmap/applied created\n')
      expect((await apply('one')).stdout).toBe('configmap/applied unchanged\n')
      const diff = await kubectl.try(['diff', '-f', '-'], manifest('two'))
      expect(diff.code).toBe(1)
      expect(diff.stdout).toContain('+  k: two')
      const other = ['--server-side', '--field-manager=other']
      expect((await apply('two', ...other)).stderr).toContain('Apply failed with 1 conflict')
      expect((await apply('two', ...other, '--force-conflicts')).code).toBe(0)
    })

    test('runs, exposes, waits and watches', async () => {
      await kubectl('run', 'lone', '--image=kedge-test/web:1', '--port=8080')
      await kubectl('wait', '--for=condition=Ready', 'pod/lone', '--timeout=60s')
      await kubectl('expose', 'pod', 'lone', '--port=80', '--target-port=8080')
      const ip = await kubectl('get', 'service', 'lone', '-o', 'jsonpath={.spec.clusterIP}')
      const { curl, edge } = get()
      await until('the Service', async () => {
        return (await curl(edge, `http://${ip}/page.html`)) === 'a page\n'
      })
      const watch = Bun.spawn(get().kubectl.argv(['get', 'pod', 'lone', '-w']), { stdout: 'pipe' })
      await Bun.sleep(500)
      await kubectl('delete', 'pod', 'lone', '--grace-period=1')
      watch.kill()
      expect(await watch.stdout.text()).toContain('Terminating')
      await kubectl('delete', 'service', 'lone')
    })

    test('deletes in every order', async () => {
      for (const cascade of ['background', 'foreground', 'orphan']) {
        const name = `gone-${cascade}`
        await kubectl('create', 'deployment', name, '--image=kedge-test/web:1')
        await get().podsReady(`app=${name}`, 1)
        await kubectl('delete', 'deployment', name, `--cascade=${cascade}`)
        const left = await kubectl('get', 'rs', '-l', `app=${name}`, '-o', 'name')
        if (cascade === 'orphan') {
          expect(left).toStartWith(`replicaset.apps/${name}`)
          await kubectl('delete', 'rs', '-l', `app=${name}`)
        } else {
          await until('the ReplicaSet to go', async () => {
            return (await kubectl('get', 'rs', '-l', `app=${name}`, '-o', 'name')) === ''
          })
        }
      }
    })

    test('says what is wrong with an image, and stays well', async () => {
      await kubectl('run', 'wrong', '--image=127.0.0.1:1/not-there:1')
      await until('ImagePullBackOff', async () => {
        return (
          (await kubectl('get', 'pod', 'wrong')).match(/ErrImagePull|ImagePullBackOff/) !== null
        )
      })
      const events = await kubectl('events', '--for', 'pod/wrong')
      expect(events).toContain('Failed to pull image "127.0.0.1:1/not-there:1"')
      await kubectl('delete', 'pod', 'wrong', '--grace-period=0', '--force')
    })
  })
}
