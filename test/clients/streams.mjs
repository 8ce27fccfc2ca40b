// exec, attach, cp, port-forward, logs and watch by the official JavaScript client, on Node.
//
//   node streams.mjs KUBECONFIG POD
//
// Prints a line for each case, and ends with 1 when one of them fails. The pod serves HTTP on 8080.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as k8s from '@kubernetes/client-node'

const LIMIT_MS = 20_000
const NAMESPACE = 'default'
const [, , kubeconfig, pod] = process.argv
const config = new k8s.KubeConfig()
config.loadFromFile(kubeconfig)
const folder = mkdtempSync(join(tmpdir(), 'kedge-clients-'))
const api = config.makeApiClient(k8s.CoreV1Api)
const { name: container } = (await api.readNamespacedPod({ name: pod, namespace: NAMESPACE })).spec
  .containers[0]

/** Collects what is written to it. */
function sink() {
  const parts = []
  const stream = new Writable({
    write(part, _, done) {
      parts.push(part)
      done()
    },
  })
  return { stream, text: () => Buffer.concat(parts.map((part) => Buffer.from(part))).toString() }
}

function exec(command, stdin = null) {
  const [out, err] = [sink(), sink()]
  return new Promise((resolve, reject) => {
    const onStatus = (status) => resolve({ status, out: out.text(), err: err.text() })
    new k8s.Exec(config)
      .exec(NAMESPACE, pod, container, command, out.stream, err.stream, stdin, false, onStatus)
      .catch(reject)
  })
}

const codeOf = ({ status }) =>
  Number(status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message ?? 0)

const CASES = {
  async 'exec gives outputs and the code'() {
    const ran = await exec(['sh', '-c', 'echo out; echo err >&2; exit 7'])
    assert.deepEqual([ran.out, ran.err, codeOf(ran)], ['out\n', 'err\n', 7])
  },

  async 'exec takes input'() {
    const ran = await exec(['head', '-n', '1'], Readable.from(['over there\n']))
    assert.deepEqual([ran.out, ran.status.status], ['over there\n', 'Success'])
  },

  async 'exec tells its code while input is sent'() {
    const chunk = Buffer.alloc(32 * 1024)
    const endless = new Readable({
      read() {
        setImmediate(() => this.push(chunk))
      },
    })
    const ran = await exec(['sh', '-c', 'head -c 100000 >/dev/null; exit 9'], endless)
    endless.destroy()
    assert.equal(codeOf(ran), 9)
  },

  async 'exec says what is not there'() {
    const ran = await exec(['no-such-program'])
    assert.match(ran.status.message, /executable file not found/)
    assert.equal(ran.err, '')
  },

  async 'attach shows what is written'() {
    const out = sink()
    const attach = new k8s.Attach(config)
    const socket = await attach.attach(NAMESPACE, pod, container, out.stream, null, null, false)
    await exec(['sh', '-c', 'echo attached >/proc/1/fd/1'])
    await until(() => out.text().includes('attached'))
    socket.close()
  },

  async 'cp brings files there and back'() {
    const content = 'kedge '.repeat(100_000)
    writeFileSync(join(folder, 'from-node'), content)
    const cp = new k8s.Cp(config)
    await cp.cpToPod(NAMESPACE, pod, container, folder, '/tmp')
    await until(async () => (await exec(['cat', '/tmp/from-node'])).out === content)
    rmSync(join(folder, 'from-node'))
    await cp.cpFromPod(NAMESPACE, pod, container, 'from-node', folder, '/tmp')
    await until(() => readFileSync(join(folder, 'from-node'), 'utf8') === content)
  },

  async 'port-forward carries, and ends'() {
    const forward = new k8s.PortForward(config)
    const server = createServer((socket) => {
      void forward.portForward(NAMESPACE, pod, [8080], socket, null, socket).then((webSocket) => {
        webSocket.on('close', () => socket.end())
      })
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      for (let i = 0; i < 3; i++) {
        const socket = connect(server.address().port, '127.0.0.1')
        socket.write('GET /index.html HTTP/1.0\r\n\r\n')
        assert.match(await text(socket), /hello from kedge\n$/)
      }
    } finally {
      server.close()
    }
  },

  async 'port-forward says why'() {
    const forward = new k8s.PortForward(config)
    const [out, err] = [sink(), sink()]
    await forward.portForward(NAMESPACE, pod, [9], out.stream, err.stream, new PassThrough())
    await until(() => err.text().includes('connection refused'))
  },

  async 'logs come whole and as they are written'() {
    const out = sink()
    const following = await new k8s.Log(config).log(NAMESPACE, pod, container, out.stream, {
      follow: true,
    })
    await exec(['sh', '-c', 'echo from-node >/proc/1/fd/1'])
    await until(() => out.text().includes('from-node\n'))
    following.abort()
    const whole = await api.readNamespacedPodLog({ name: pod, namespace: NAMESPACE })
    assert.match(whole, /from-node\n/)
  },

  async 'a watch tells what changes'() {
    const name = 'from-node'
    const seen = []
    const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`
    const watching = await new k8s.Watch(config).watch(
      path,
      {},
      (type, object) => object.metadata.name === name && seen.push(type),
      () => {},
    )
    const body = { metadata: { name }, data: { a: '1' } }
    await api.createNamespacedConfigMap({ namespace: NAMESPACE, body })
    await api.deleteNamespacedConfigMap({ name, namespace: NAMESPACE })
    await until(() => seen.join() === 'ADDED,DELETED')
    watching.abort()
  },

  async 'a token is told by a sub-protocol, as browsers must'() {
    const account = { name: 'default', namespace: NAMESPACE }
    const { status } = await api.createNamespacedServiceAccountToken({
      ...account,
      body: { spec: { audiences: [] } },
    })
    const { server, caData } = config.getCurrentCluster()
    const token = `base64url.bearer.authorization.k8s.io.${Buffer.from(status.token).toString('base64url')}`
    const url = `${server.replace('https', 'wss')}/api/v1/namespaces/default/pods?watch=true`
    const { default: WebSocket } = await import('ws')
    // Known, but without rights: 403. Without the token, or with another, it is 401.
    assert.equal(await refusal(WebSocket, url, [token, 'a'], caData), 403)
    assert.equal(await refusal(WebSocket, url, [`${token}x`, 'a'], caData), 401)
    assert.equal(await refusal(WebSocket, url, [token], caData), 401)
  },
}

function refusal(WebSocket, url, protocols, caData) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, { ca: Buffer.from(caData, 'base64') })
    socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode))
    socket.on('open', () => reject(new Error('was accepted')))
    socket.on('error', reject)
  })
}

async function until(isTrue) {
  for (;;) {
    if (
      await Promise.resolve()
        .then(isTrue)
        .catch(() => false)
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// What this client is told to abort it reports as an error, to nobody.
process.on('uncaughtException', (error) => {
  if (error.name !== 'AbortError') throw error
})

let failures = 0
for (const [name, run] of Object.entries(CASES)) {
  const limit = new Promise((_, reject) => {
    setTimeout(() => reject(new Error('did not end')), LIMIT_MS).unref()
  })
  const why = await Promise.race([run(), limit]).then(
    () => undefined,
    (error) => error,
  )
  if (why !== undefined) failures++
  console.log(why === undefined ? 'ok' : 'FAILED', name, why?.stack ?? '')
}
rmSync(folder, { recursive: true })
process.exit(failures === 0 ? 0 : 1)
