import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceNumbers } from './host-facts.ts'
import { overlayLayers, parseMountCommand, readInRoot } from './rootfs.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kedge-root-'))
  mkdirSync(join(root, 'etc'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('layers are read from the mount of a snapshot', () => {
  const overlay = { Type: 'overlay', Source: 'overlay', Options: ['index=off', 'lowerdir=/2:/1'] }
  expect(overlayLayers([overlay])).toEqual(['/2', '/1'])
  expect(overlayLayers([{ Type: 'bind', Source: '/x', Options: ['rw'] }])).toBeUndefined()
  expect(overlayLayers([])).toBeUndefined()
})

test('a mount command of ctr is read back', () => {
  const command = 'mount -t overlay overlay /x -o index=off,upperdir=/u,lowerdir=/2:/1\n'
  expect(overlayLayers([parseMountCommand(command)])).toEqual(['/2', '/1'])
  expect(() => parseMountCommand('nothing')).toThrow('unexpected answer')
})

test('a file is read inside the root only', async () => {
  writeFileSync(join(root, 'etc/passwd'), 'inside')
  expect(await readInRoot(root, '/etc/passwd')).toBe('inside')
  expect(await readInRoot(root, '/etc/none')).toBe('')
  expect(await readInRoot(root, '/etc')).toBe('')
  expect(await readInRoot(root, '/etc/passwd/deeper')).toBe('')
})

test('links cannot lead out of the root', async () => {
  writeFileSync(join(root, 'passwd'), 'inside')
  symlinkSync('/etc/passwd', join(root, 'absolute'))
  symlinkSync('../../../../../../etc/passwd', join(root, 'etc/relative'))
  symlinkSync('../passwd', join(root, 'etc/passwd'))
  symlinkSync('loop', join(root, 'loop'))
  expect(await readInRoot(root, '/absolute')).toBe('inside')
  expect(await readInRoot(root, '/etc/relative')).toBe('inside')
  expect(await readInRoot(root, '/loop')).toBe('')
})

test('device numbers are unpacked as glibc packs them', () => {
  expect(deviceNumbers(0x103)).toEqual({ major: 1, minor: 3 })
  expect(deviceNumbers(0xae5)).toEqual({ major: 10, minor: 229 })
  expect(deviceNumbers(0x10300)).toEqual({ major: 259, minor: 0 })
  expect(deviceNumbers(0x100812)).toEqual({ major: 8, minor: 0x112 })
})
