import { expect, test } from 'bun:test'
import { notFound } from '../../api/status.ts'
import type { Client } from '../../kit/client.ts'
import { checkRuntimeClass } from './runtime-class.ts'

const signal = new AbortController().signal
const HANDLERS = new Map([
  ['plain', 'runc'],
  ['sandboxed', 'kata'],
])

/** A server that has these classes. */
const client = {
  get: async (row: { group: string; plural: string }, { name }: { name: string }) => {
    const handler = HANDLERS.get(name)
    if (handler === undefined) throw notFound(row, name)
    return { metadata: { name }, handler }
  },
} as unknown as Pick<Client, 'get'>

const check = (runtimeClassName?: string) => {
  const spec = { containers: [], ...(runtimeClassName === undefined ? {} : { runtimeClassName }) }
  return checkRuntimeClass(client, { spec }, signal)
}

test('a pod without a class, and one whose handler the node has, may run', async () => {
  await check()
  await check('plain')
})

test('a handler that the node has not is refused in the words of containerd', async () => {
  const why = 'failed to get sandbox runtime: no runtime for "kata" is configured'
  expect(check('sandboxed')).rejects.toThrow(`rpc error: code = Unknown desc = ${why}`)
})

test('a class that is not there is refused in the words of the kubelet', async () => {
  expect(check('none')).rejects.toThrow('runtimeclass.node.k8s.io "none" not found')
})

test('a server that does not answer is no reason to go on without', async () => {
  const get = () => Promise.reject(new Error('gone'))
  const spec = { containers: [], runtimeClassName: 'plain' }
  expect(checkRuntimeClass({ get } as never, { spec }, signal)).rejects.toThrow('gone')
})
