// logs, exec, attach, cp and port-forward, to pods on both nodes. The second takes no connection.

import { describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ok, until } from '../../support/machines.ts'
import type { Cluster, PodView } from '../cluster.ts'

export function streamsSuite(get: () => Cluster): void {
  const onEachNode = async (body: (pod: PodView) => Promise<void>) => {
    const pods = await get().podsReady('app=web', 3)
    for (const node of ['server', 'edge']) await body(pods.find((pod) => pod.node === node)!)
  }

  describe('streams', () => {
    test('exec gives output, errors, input and the exit code', () =>
      onEachNode(async ({ name }) => {
        const { kubectl } = get()
        const both = await kubectl.try([
          'exec',
          name,
          '--',
          'sh',
          '-c',
          'echo out; echo err >&2; exit 7',
        ])
        expect(both).toMatchObject({ code: 7, stdout: 'out\n' })
        expect(both.stderr).toContain('err\n')
        expect(await kubectl(['exec', '-i', name, '--', 'cat'], 'over there')).toBe('over there')
      }))

    test('exec works over SPDY as well, for older clients', () =>
      onEachNode(async ({ name }) => {
        const argv = get().kubectl.argv(['exec', name, '--', 'echo', 'spdy'])
        expect(await ok(argv, { env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' } })).toBe(
          'spdy\n',
        )
      }))

    test('exec -it has a terminal with a size', () =>
      onEachNode(async ({ name }) => {
        let seen = ''
        const argv = get().kubectl.argv(['exec', '-it', name, '--', 'sh', '-c', 'tty; stty size'])
        const child = Bun.spawn(argv, {
          terminal: {
            cols: 91,
            rows: 33,
            data: (_terminal, chunk) => {
              seen += new TextDecoder().decode(chunk)
            },
          },
        })
        expect(await child.exited).toBe(0)
        await until('the size', async () => seen.includes('33 91'), 5000)
        expect(seen).toContain('/dev/pts/')
      }))

    test('logs come whole, by their tail, and as they are written', () =>
      onEachNode(async ({ name }) => {
        const { kubectl } = get()
        expect(await kubectl(['logs', name])).toStartWith('listening on 8080\n')
        expect(await kubectl(['logs', name, '--tail=0'])).toBe('')
        const follow = Bun.spawn(kubectl.argv(['logs', '-f', name, '--tail=0']), { stdout: 'pipe' })
        await Bun.sleep(500)
        await kubectl(['exec', name, '--', 'sh', '-c', 'echo more > /proc/1/fd/1'])
        const { value } = await follow.stdout.getReader().read()
        expect(new TextDecoder().decode(value)).toBe('more\n')
        follow.kill()
        await follow.exited
      }))

    test('cp brings files there and back', () =>
      onEachNode(async ({ name }) => {
        const { kubectl, lab } = get()
        const local = join(lab.folder, 'sent')
        const content = 'x'.repeat(2_000_000)
        writeFileSync(local, content)
        await kubectl(['cp', local, `${name}:/tmp/there`])
        await kubectl(['cp', `${name}:/tmp/there`, `${local}.back`])
        expect(readFileSync(`${local}.back`, 'utf8')).toBe(content)
      }))

    test('port-forward carries many connections', () =>
      onEachNode(async ({ name }) => {
        const { kubectl } = get()
        const argv = kubectl.argv(['port-forward', `pod/${name}`, ':8080'])
        const child = Bun.spawn(argv, { stdout: 'pipe', stderr: 'ignore' })
        try {
          const { value } = await child.stdout.getReader().read()
          const [, port] = /127\.0\.0\.1:(\d+)/.exec(new TextDecoder().decode(value)) ?? []
          const pages = Array.from({ length: 10 }, async () => {
            const response = await fetch(`http://127.0.0.1:${port}/index.html`)
            return response.text()
          })
          expect(new Set(await Promise.all(pages))).toEqual(new Set(['hello from kedge\n']))
        } finally {
          child.kill()
          await child.exited
        }
      }))

    test('attach shows what the container writes', () =>
      onEachNode(async ({ name }) => {
        const { kubectl } = get()
        const child = Bun.spawn(kubectl.argv(['attach', name]), {
          stdout: 'pipe',
          stderr: 'ignore',
        })
        await Bun.sleep(700)
        await kubectl(['exec', name, '--', 'sh', '-c', 'echo attached > /proc/1/fd/1'])
        const { value } = await child.stdout.getReader().read()
        expect(new TextDecoder().decode(value)).toContain('attached')
        child.kill()
        await child.exited
      }))

    test('the API passes requests on to a pod', () =>
      onEachNode(async ({ name }) => {
        const path = `/api/v1/namespaces/default/pods/${name}:8080/proxy/index.html`
        expect(await get().kubectl(['get', '--raw', path])).toBe('hello from kedge\n')
      }))
  })
}
