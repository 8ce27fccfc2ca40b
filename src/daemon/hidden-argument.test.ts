import { expect, test } from 'bun:test'
import { placesOf } from './hidden-argument.ts'

const places = (args: readonly string[], secret: string) =>
  placesOf(Buffer.from(args.map((arg) => `${arg}\0`).join('')), Buffer.from(secret))

test('a secret is found where it is an argument, or the value of one', () => {
  expect(places(['kedge', '--token', 's3', '--x=s3', 's3'], 's3')).toEqual([14, 21, 24])
  expect(places(['s3', 's33', 'as3', '--x=s3.'], 's3')).toEqual([0])
  expect(places(['kedge', ''], '')).toEqual([])
})

test('nobody reads it from the command line once it is hidden', async () => {
  const source = JSON.stringify(`${import.meta.dir}/hidden-argument.ts`)
  const script = `
    const { hideArgument } = await import(${source})
    hideArgument('K10-secret')
    console.log(await Bun.file('/proc/self/cmdline').text())`
  const child = Bun.spawn([process.execPath, '-e', script, '--', '--token', 'K10-secret', '--a=b'])
  const shown = await new Response(child.stdout).text()
  expect(shown.split('\0').slice(-4, -1)).toEqual(['--token', 'xxxxxxxxxx', '--a=b'])
})
