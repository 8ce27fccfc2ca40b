// logs, exec, attach, cp and port-forward, to pods on both nodes. The second takes no connection.

import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { follow } from '../../support/follow.ts'
import { ok, run } from '../../support/machines.ts'
import { type Cluster, type PodView, useExample } from '../cluster.ts'
import type { Suite } from '../suite.ts'

export const streamsSuite: Suite = {
  name: 'streams',
  machines: { servers: 1, agents: 1 },
  isForEachKubectl: true,
  tests: streamsTests,
}

function streamsTests(get: () => Cluster, { program }: { program: string }): void {
  useExample(get)
  const onEachNode = async (body: (pod: PodView) => Promise<void>) => {
    const pods = await get().podsReady('app=web', 3)
    for (const node of ['server', 'edge']) await body(pods.find((pod) => pod.node === node)!)
  }
  const kubectl = () => get().kubectl.with({ program })

  execTests(onEachNode, kubectl)
  terminalTests(onEachNode, kubectl)
  logTests(onEachNode, kubectl)

  test('cp brings files there and back', () =>
    onEachNode(async ({ name }) => {
      const local = join(get().lab.folder, 'sent')
      const content = 'x'.repeat(2_000_000)
      writeFileSync(local, content)
      await kubectl()(['cp', local, `${name}:/tmp/there`])
      await kubectl()(['cp', `${name}:/tmp/there`, `${local}.back`])
      expect(readFileSync(`${local}.back`, 'utf8')).toBe(content)
    }))

  test('port-forward carries many connections', () =>
    onEachNode(async ({ name }) => {
      expect(await pagesThrough(kubectl().argv(['port-forward', `pod/${name}`, ':8080']))).toEqual(
        new Set(['hello from kedge\n']),
      )
    }))

  test('port-forward says why nothing answers', () =>
    onEachNode(async ({ name }) => {
      await using forward = follow(kubectl().argv(['port-forward', `pod/${name}`, ':9']))
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(await forward.until('-> 9'))!
      await run(['curl', '-s', '--max-time', '5', `http://127.0.0.1:${port}/`])
      await forward.until('dial tcp 127.0.0.1:9: connect: connection refused')
    }))

  test('port-forward finds a pod of a Service and of a Deployment', async () => {
    for (const target of ['service/web', 'deployment/web']) {
      const port = target.startsWith('service') ? ':80' : ':8080'
      const pages = await pagesThrough(kubectl().argv(['port-forward', target, port]))
      expect(pages).toEqual(new Set(['hello from kedge\n']))
    }
  })

  test('the API passes requests on to a pod', () =>
    onEachNode(async ({ name }) => {
      const path = `/api/v1/namespaces/default/pods/${name}:8080/proxy/index.html`
      expect(await kubectl()(['get', '--raw', path])).toBe('hello from kedge\n')
    }))
}

type OnEachNode = (body: (pod: PodView) => Promise<void>) => Promise<void>
type GetKubectl = () => Cluster['kubectl']

function execTests(onEachNode: OnEachNode, kubectl: GetKubectl): void {
  test('exec gives output, errors, input and the exit code', () =>
    onEachNode(async ({ name }) => {
      const script = 'echo out; echo err >&2; exit 7'
      const both = await kubectl().try(['exec', name, '--', 'sh', '-c', script])
      expect(both).toMatchObject({ code: 7, stdout: 'out\n' })
      expect(both.stderr).toContain('err\n')
      expect(await kubectl()(['exec', '-i', name, '--', 'cat'], 'over there')).toBe('over there')
    }))

  test('exec carries a megabyte in both directions', () =>
    onEachNode(async ({ name }) => {
      const much = 'kedge '.repeat(170_000)
      expect(await kubectl()(['exec', '-i', name, '--', 'cat'], much)).toBe(much)
    }))

  test('exec tells how a command ended while there is input left, over either protocol', () =>
    onEachNode(async ({ name }) => {
      const much = 'x'.repeat(20_000_000)
      const script = 'head -c 3000000 | wc -c; exit 9'
      for (const webSockets of ['true', 'false']) {
        const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets }
        for (let i = 0; i < 5; i++) {
          const argv = kubectl().argv(['exec', '-i', name, '--', 'sh', '-c', script])
          expect(await run(argv, { stdin: much, env })).toMatchObject({
            code: 9,
            stdout: '3000000\n',
          })
        }
        // As cp does it, on a disk that is full.
        const full = kubectl().argv(['exec', '-i', name, '--', 'sh', '-c', 'cat >/dev/full'])
        const refused = await run(full, { stdin: much, env })
        expect(refused.code).toBe(1)
        expect(refused.stderr).toContain('No space left on device')
      }
    }))

  test('exec says what cannot be run, and where nothing runs', () =>
    onEachNode(async ({ name }) => {
      const absent = await kubectl().try(['exec', name, '--', 'no-such-program'])
      expect(absent.code).toBeGreaterThan(0)
      expect(absent.stderr.match(/executable file not found in \$PATH/g)).toHaveLength(1)
      const nowhere = await kubectl().try(['exec', name, '-c', 'none', '--', 'true'])
      expect(nowhere.stderr).toContain(`container none is not valid for pod ${name}`)
    }))

  test('exec works over SPDY as well, for older clients', () =>
    onEachNode(async ({ name }) => {
      const argv = kubectl().argv(['exec', name, '--', 'echo', 'spdy'])
      const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }
      expect(await ok(argv, { env })).toBe('spdy\n')
    }))
}

function terminalTests(onEachNode: OnEachNode, kubectl: GetKubectl): void {
  test('exec -it has a terminal that follows its size, and an exit code', () =>
    onEachNode(async ({ name }) => {
      const argv = kubectl().argv(['exec', '-it', name, '--', 'sh'])
      await using shell = follow(argv, { terminal: { cols: 91, rows: 33 } })
      shell.terminal!.write('tty\n')
      await shell.until('/dev/pts/')
      const untilSize = (size: string) => `until [ "$(stty size)" = "${size}" ]; do :; done`
      shell.terminal!.write(`${untilSize('33 91')}; echo first-$((1+1))\n`)
      await shell.until('first-2')
      shell.terminal!.resize(120, 44)
      shell.terminal!.write(`${untilSize('44 120')}; echo second-$((1+1))\n`)
      await shell.until('second-2')
      shell.terminal!.write('exit 5\n')
      expect(await shell.exited).toBe(5)
    }))

  test('exec -it passes Ctrl-C on', () =>
    onEachNode(async ({ name }) => {
      const argv = kubectl().argv(['exec', '-it', name, '--', 'sh'])
      await using shell = follow(argv, { terminal: { cols: 80, rows: 24 } })
      shell.terminal!.write('echo sleeping-$((1+1)); sleep 1000\n')
      await shell.until('sleeping-2')
      shell.terminal!.write('\x03')
      shell.terminal!.write('echo code-$?; exit\n')
      await shell.until('code-130')
    }))

  test('attach shows what the container writes', () =>
    onEachNode(async ({ name }) => {
      await using attached = follow(kubectl().argv(['attach', name]))
      // Until the attachment stands there is nothing to be seen of it: write more than once.
      const script =
        'i=0; while [ $i -lt 50 ]; do echo attached > /proc/1/fd/1; sleep .1; i=$((i+1)); done'
      await using _writing = follow(kubectl().argv(['exec', name, '--', 'sh', '-c', script]))
      await attached.until('attached\n')
    }))
}

function logTests(onEachNode: OnEachNode, kubectl: GetKubectl): void {
  test('logs come whole, by their tail, with their times, and of all pods', async () => {
    await onEachNode(async ({ name }) => {
      expect(await kubectl()(['logs', name])).toStartWith('listening on 8080\n')
      expect(await kubectl()(['logs', name, '--tail=0'])).toBe('')
      expect(await kubectl()(['logs', name, '--limit-bytes=9'])).toBe('listening')
      expect(await kubectl()(['logs', name, '--timestamps'])).toMatch(
        /^\d{4}-\d\d-\d\dT\S+Z listening on 8080\n/,
      )
    })
    const all = await kubectl()(['logs', '-l', 'app=web', '--prefix', '--tail=-1'])
    expect(all.match(/\[pod\/web-\S+\/web\] listening on 8080/g)).toHaveLength(3)
  })

  test('logs of a container that has said nothing are empty, not missing', async () => {
    const image = '--image=kedge-test/busybox:1'
    await kubectl()(['run', 'quiet', image, '--restart=Never', '--', 'sleep', '3600'])
    await kubectl()(['wait', 'pod/quiet', '--for=condition=Ready', '--timeout=30s'])
    expect(await kubectl()(['logs', 'quiet'])).toBe('')
    await kubectl()(['delete', 'pod', 'quiet', '--now'])
  })

  test('logs -f shows lines as they are written', () =>
    onEachNode(async ({ name }) => {
      await using followed = follow(kubectl().argv(['logs', '-f', name]))
      await followed.until('listening on 8080\n')
      const word = `written-${crypto.randomUUID()}\n`
      await kubectl()(['exec', name, '--', 'sh', '-c', `printf '${word}' > /proc/1/fd/1`])
      await followed.until(word)
    }))
}

/** What ten requests at once get through a forwarded port. */
async function pagesThrough(argv: string[]): Promise<Set<string>> {
  await using forward = follow(argv)
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(await forward.until(/127\.0\.0\.1:\d+ /)) ?? []
  const pages = Array.from({ length: 10 }, async () => {
    const response = await fetch(`http://127.0.0.1:${port}/index.html`)
    return response.text()
  })
  return new Set(await Promise.all(pages))
}
