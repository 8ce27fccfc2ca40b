import { expect, test } from 'bun:test'
import { silentLog } from '../../lib/log.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { bodyOf, formatHead, type HttpHead, readHead } from '../../lib/net/http1.ts'
import { streamPair } from '../../lib/net/pipe.ts'
import { VolumeInUse } from '../../volumes/claimed.ts'
import type { NodeHttp } from './pods-on-node.ts'
import { serveNode } from './server.ts'

async function ask(line: string, removeVolume: NodeHttp['removeVolume']) {
  const node = {
    log: silentLog,
    pods: { known: async () => {} },
    removeVolume,
  } as unknown as NodeHttp
  const [client, server] = streamPair()
  void serveNode(node, server, new AbortController().signal)
  await client.write(formatHead(`${line} HTTP/1.1`, [['content-length', '2']]))
  await client.write(new TextEncoder().encode('{}'))
  const reader = new ByteReader(client.readable)
  const head = (await readHead(reader)) as HttpHead
  const text = await new Response(bodyOf(head, reader, 'POST') as never).text()
  return { code: Number(head.line.split(' ')[1]), text }
}

test('a node removes the folder of a volume, and says so', async () => {
  const removed: string[] = []
  const remove = async (name: string) => void removed.push(name)
  expect(await ask('POST /removeVolume/pvc-1', remove)).toEqual({ code: 200, text: '{}' })
  expect(removed).toEqual(['pvc-1'])
})

test('it does not while a pod has the volume, nor for who only looks', async () => {
  const refuse = async () => {
    throw new VolumeInUse('volume pvc-1 is used by pod u')
  }
  const used = await ask('POST /removeVolume/pvc-1', refuse)
  expect(used).toEqual({ code: 409, text: 'volume pvc-1 is used by pod u' })
  const removed: string[] = []
  const remove = async (name: string) => void removed.push(name)
  expect((await ask('GET /removeVolume/pvc-1', remove)).code).toBe(405)
  expect((await ask('POST /removeVolume/a/b', remove)).code).toBe(404)
  expect((await ask('POST /pods', remove)).code).toBe(405)
  expect(removed).toEqual([])
})
