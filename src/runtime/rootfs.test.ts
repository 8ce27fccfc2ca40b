import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceNumbers } from './host-facts.ts'
import { overlayDistrust, overlayLayers, parseMountCommand, readInRoot } from './rootfs.ts'

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

test('a file that is too large to be one of accounts is refused unread', async () => {
  const path = join(root, 'etc/passwd')
  writeFileSync(path, 'web:x:1:1::/:\n')
  truncateSync(path, 1_500_000_000)
  const before = process.memoryUsage.rss()
  await expect(readInRoot(root, '/etc/passwd')).rejects.toThrow(
    '/etc/passwd of the image is larger',
  )
  expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000)
  truncateSync(path, 1024 * 1024)
  expect(await readInRoot(root, '/etc/passwd')).toHaveLength(1024 * 1024)
})

test('what is no file is not opened, and a maze of links leads nowhere', async () => {
  Bun.spawnSync(['mkfifo', join(root, 'etc/passwd')])
  expect(await readInRoot(root, '/etc/passwd')).toBe('')
  const long = 'etc/../'.repeat(500)
  symlinkSync(`${long}etc/group`, join(root, 'maze'))
  writeFileSync(join(root, 'etc/group'), 'x')
  expect(await readInRoot(root, '/maze')).toBe('')
  for (let i = 0; i < 50; i++) symlinkSync(`link${i + 1}`, join(root, `link${i}`))
  writeFileSync(join(root, 'link50'), 'x')
  expect(await readInRoot(root, '/link0')).toBe('')
  expect(await readInRoot(root, '/link20')).toBe('x')
})

test('attributes of layers are not followed where the kernel can leave it', () => {
  expect(overlayDistrust(['index', 'metacopy', 'redirect_dir'])).toEqual([
    ...['redirect_dir=nofollow', 'metacopy=off'],
  ])
  expect(overlayDistrust(['index'])).toEqual([])
})

test('device numbers are unpacked as glibc packs them', () => {
  expect(deviceNumbers(0x103)).toEqual({ major: 1, minor: 3 })
  expect(deviceNumbers(0xae5)).toEqual({ major: 10, minor: 229 })
  expect(deviceNumbers(0x10300)).toEqual({ major: 259, minor: 0 })
  expect(deviceNumbers(0x100812)).toEqual({ major: 8, minor: 0x112 })
})
