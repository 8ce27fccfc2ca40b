import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { SystemProcesses } from '../lib/process.ts'
import { parseOwner, requirePort } from './port.ts'

const processes = new SystemProcesses()
const never = new AbortController().signal
const require = (host: string, port: number) =>
  requirePort({ 'bind-address': host, 'https-listen-port': port }, processes, never)

describe('the port', () => {
  let server: Server
  let port = 0
  beforeEach(async () => {
    server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterEach(() => new Promise((resolve) => server.close(resolve)))

  test('is refused while another program has it, on one address or all', async () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      await expect(require(host, port)).rejects.toThrow(`--https-listen-port ${port}: is in use`)
    }
  })

  test('is free again afterwards, and still free after a look', async () => {
    await new Promise((resolve) => server.close(resolve))
    await require('127.0.0.1', port)
    await require('127.0.0.1', port)
  })

  test('is on an address of this machine', async () => {
    await expect(require('192.0.2.1', port)).rejects.toThrow(
      '--bind-address 192.0.2.1: is no address of this machine',
    )
  })
})

test('the owner is read from what ss prints', () => {
  const line = 'LISTEN 0 512 *:6443 *:* users:(("kedge",pid=4711,fd=12))'
  expect(parseOwner(line)).toBe('kedge (process 4711)')
  expect(parseOwner('LISTEN 0 512 *:6443 *:*')).toBeUndefined()
})
