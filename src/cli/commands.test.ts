import { describe, expect, test } from 'bun:test'
import { OPTIONS } from '../daemon/options.ts'
import { oneLine, runCommandLine } from './commands.ts'

async function runIt(...args: string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const output = {
    write: (more: string) => {
      text += more
    },
  }
  return { code: await runCommandLine(['bun', 'kedge', ...args], output), text }
}

describe('help', () => {
  const COMMANDS = [
    [],
    ['server'],
    ['agent'],
    ['token'],
    ['token', 'create'],
    ['token', 'list'],
    ['token', 'delete'],
    ['token', 'rotate'],
    ['node'],
    ['node', 'reset'],
    ['scheduler'],
    ['scheduler', 'explain'],
    ['images'],
    ['images', 'import'],
    ['images', 'list'],
    ['version'],
  ]

  test('is there for every command, and fits a terminal', async () => {
    for (const command of COMMANDS) {
      const { code, text } = await runIt(...command, '--help')
      expect(code).toBe(0)
      expect(text).toStartWith(`Usage: ${['kedge', ...command].join(' ')}`)
      expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
    }
  })

  test('of server and agent names every option of that role', async () => {
    for (const role of ['server', 'agent'] as const) {
      const { text } = await runIt(role, '--help')
      const told = [...text.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name!)
      const expected = OPTIONS.filter(({ roles }) => roles.includes(role)).map(({ name }) => name)
      expect(told.sort()).toEqual([...expected, 'config'].sort())
    }
  })

  test('is what half a command prints, as a failure', async () => {
    for (const half of [[], ['token'], ['node'], ['scheduler'], ['images']]) {
      const { code, text } = await runIt(...half)
      expect([code, text.split('\n')[0]]).toEqual([
        1,
        `Usage: ${['kedge', ...half].join(' ')} [options] [command]`,
      ])
    }
  })
})

test('a slip of the hand is told in one line, with what was meant', async () => {
  await expect(runIt('server', '--data-dri', 'x')).rejects.toThrow(
    /^unknown option '--data-dri': did you mean --data-dir\?$/,
  )
  await expect(runIt('servr')).rejects.toThrow(/^unknown command 'servr': did you mean server\?$/)
  await expect(runIt('images', 'import')).rejects.toThrow(
    /^missing required argument 'file': see it with --help$/,
  )
  await expect(runIt('version', 'x')).rejects.toThrow(/^too many arguments .*: see it with --help$/)
})

test('the words of the parser become one line', () => {
  expect(oneLine("error: unknown option '--x'\n(Did you mean --y?)")).toBe(
    "unknown option '--x': did you mean --y?",
  )
  expect(oneLine('error: too much.')).toBe('too much: see it with --help')
})
