// port-forward through `serveNode`, over SPDY and over plain channels.

import { expect, test } from 'bun:test'
import {
  openSocket,
  openSpdy,
  received,
  text,
  until,
  world,
} from '../../../test/support/node-http.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { streamPair } from '../../lib/net/pipe.ts'

test('ports are forwarded over SPDY in pairs of streams', async () => {
  const w = world()
  const [near, far] = streamPair()
  const asked: number[] = []
  w.node.runtime.dialPort = async (_, port) => {
    asked.push(port)
    if (port === 81) throw new Error('connection refused')
    return near
  }
  const { client } = await openSpdy(w, '/portForward/d/p', ['portforward.k8s.io'])
  await client.open({ streamType: 'error', port: '80', requestID: '0' }, true)
  await client.open({ streamType: 'data', port: '80', requestID: '0' })
  await client.open({ streamType: 'error', port: '81', requestID: '1' }, true)
  await client.open({ streamType: 'data', port: '81', requestID: '1' })
  await client.open({ streamType: 'data', port: 'x', requestID: '2' })
  await client.frame(3, 1, Buffer.from('question'))
  expect(await new Response(far.readable as never).text()).toBe('question')
  await far.write(Buffer.from('answer'))
  await far.end()
  const frames = client.frames()
  // The client hangs up once everything is through.
  await new Promise((resolve) => setImmediate(resolve))
  await client.hangUp()
  const seen = await frames
  expect(asked).toEqual([80, 81])
  expect(seen).toContain('3:answer')
  expect(seen).toContain('5:error forwarding port 81 to pod p, uid u: connection refused')
  expect(seen).toContain('reset:9')
})

/** A pod with one port per connection; 81 refuses. */
function podPorts(w: ReturnType<typeof world>) {
  const far = new Map<number, ByteStream>()
  w.node.runtime.dialPort = async (_, port) => {
    if (port === 81) throw new Error('connection refused')
    const [near, inPod] = streamPair()
    far.set(port, inPod)
    return near
  }
  return far
}

test('over plain channels a WebSocket ends when the last of its connections has', async () => {
  const w = world()
  const far = podPorts(w)
  const path = '/portForward/d/p?port=80&port=81&port=82'
  const { socket, served } = await openSocket(w, path, 'v4.channel.k8s.io')
  await until(() => far.size === 2)
  await far.get(80)!.write(Buffer.from('answer'))
  await far.get(80)!.end()
  // One that breaks is over as well.
  far.get(82)!.abort(new Error('reset'))
  const ports = ['P\0', 'Q\0', 'R\0'].flatMap((port, i) => [
    `${2 * i}:${port}`,
    `${2 * i + 1}:${port}`,
  ])
  const all = await received(socket)
  expect(all.slice(0, 6)).toEqual(ports)
  expect(all.slice(6).toSorted()).toEqual([
    '0:answer',
    '3:error forwarding port 81 to pod p, uid u: connection refused',
  ])
  await served
})

test('over plain channels what a client sends before it leaves reaches the pod', async () => {
  const w = world()
  const far = podPorts(w)
  const { socket, served } = await openSocket(w, '/portForward/d/p?port=80', 'v4.channel.k8s.io')
  await socket.send(Buffer.from('\0last words'))
  void socket.close(1000, '')
  await until(() => far.size === 1)
  expect(text(await new Response(far.get(80)!.readable as never).text())).toBe('last words')
  await far.get(80)!.end()
  await served
})
