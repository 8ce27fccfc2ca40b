// The commands of kedge, as a table for commander.

import { Command, CommanderError, Option as Flag } from 'commander'
import { CONFIG_PATH, type RawSettings } from '../daemon/config.ts'
import { OPTIONS, type Option, type OptionName, type Role } from '../daemon/options.ts'
import { UserError } from '../lib/user-error.ts'
import { COMMIT, VERSION } from '../lib/version.ts'
import { importImages, listImages } from './images.ts'
import { resetNode } from './node.ts'
import { type Output, standardOutput } from './output.ts'
import { run } from './run.ts'
import { explainScheduling } from './scheduler.ts'
import { createToken, deleteToken, listTokens, rotateToken } from './token.ts'

/** `argv` as the process has it. Returns the exit code; throws for what went wrong. */
export async function runCommandLine(
  argv: readonly string[],
  output: Output = standardOutput,
): Promise<number> {
  const program = createProgram(output)
  try {
    await program.parseAsync(argv)
    return 0
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    // Half a command: commander has told which ones there are.
    if (error.code === 'commander.help') return 1
    throw new UserError(oneLine(error.message))
  }
}

/** Commander's words with a way out: what was meant, or where to read. Pure. */
export function oneLine(message: string): string {
  const [what = '', hint] = message.replace(/^error: /, '').split('\n')
  const [, meant] = /^\(Did you mean (.*)\?\)$/.exec(hint ?? '') ?? []
  const wayOut = meant === undefined ? 'see it with --help' : `did you mean ${meant}?`
  return `${what.replace(/\.$/, '')}: ${wayOut}`
}

const SOURCES = `
Every option is also a key of the configuration file (node-name: box1), of the
files in ${CONFIG_PATH}.d, and a variable of the environment
(KEDGE_NODE_NAME=box1). The command line comes first, then the environment.`

function createProgram(output: Output): Command {
  const program = new Command('kedge')
    .description('Kubernetes in one executable.')
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: onlyHelp(output) })
    .version(versionLine(), '--version', 'print the version')
  shaped(program)
  addRun(program, 'server', 'run a control plane and, unless told otherwise, a node')
  addRun(program, 'agent', 'run a node that joins a server')
  addToken(shaped(program.command('token').description('manage join tokens')), output)
  addNode(shaped(program.command('node').description('manage nodes')), output)
  addScheduler(shaped(program.command('scheduler').description('ask the scheduler')), output)
  addImages(shaped(program.command('images').description('manage the images of this node')), output)
  shaped(program.command('version').description('print the version')).action(() =>
    output.write(`${versionLine()}\n`),
  )
  return program
}

/** `kedge 0.1.0 (37e85fdc2)`. */
function versionLine(): string {
  return COMMIT === '' ? `kedge ${VERSION}` : `kedge ${VERSION} (${COMMIT})`
}

/** What all commands have in common. A long option leaves less room for its words, but room. */
function shaped(command: Command): Command {
  return command
    .exitOverride()
    .configureHelp({ minWidthToWrap: 20 })
    .helpCommand(false)
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
}

/** Errors are thrown, and told once; what is left is the help for half a command. */
function onlyHelp(output: Output) {
  return (text: string) => {
    if (text.startsWith('Usage:')) output.write(text)
  }
}

function addRun(program: Command, role: Role, description: string): void {
  const names = OPTIONS.filter(({ roles }) => roles.includes(role)).map(({ name }) => name)
  const command = shaped(program.command(role).description(description))
  withOptions(command, names)
    .addHelpText('after', SOURCES)
    .action((options) => run(role, rawSettings(options), options.config))
}

function addToken(token: Command, output: Output): void {
  const command = (name: string, description: string) =>
    withKubeconfig(shaped(token.command(name).description(description)))
  command('create', 'make a token that lets nodes join, and print it')
    .option('--ttl <duration>', 'how long it is good for, such as 24h; 0 for ever', '24h')
    .option('--description <text>', 'what it is for')
    .action((options) => createToken(options, output))
  command('list', 'list the tokens that nodes can join with').action((options) =>
    listTokens(options, output),
  )
  command('delete', 'let no more nodes join with a token')
    .argument('<id>', 'as kedge token list shows it')
    .action((id, options) => deleteToken(id, options, output))
  const rotate = command('rotate', 'give the server another token of its own, and print it')
  withOptions(rotate, ['data-dir']).action((options) =>
    rotateToken(rawSettings(options), options, output),
  )
}

function addNode(node: Command, output: Output): void {
  const reset = node.command('reset').description('free the name of a node for another machine')
  withKubeconfig(shaped(reset))
    .argument('<name>', 'as kubectl get nodes shows it')
    .action((name, options) => resetNode(name, options, output))
}

function addScheduler(scheduler: Command, output: Output): void {
  const explain = scheduler.command('explain').description('say where a pod goes, and why')
  withKubeconfig(shaped(explain))
    .argument('<pod>', 'its name')
    .option('-n, --namespace <name>', 'where it is', 'default')
    .action((name, options) => explainScheduling(name, options, output))
}

function withKubeconfig(command: Command): Command {
  return command.option(
    '--kubeconfig <path>',
    'kubeconfig of an admin',
    '/etc/kedge/kubeconfig.yaml',
  )
}

function addImages(images: Command, output: Output): void {
  const here: OptionName[] = ['containerd-address', 'run-dir']
  const bring = shaped(images.command('import').description('bring images from an archive'))
  withOptions(bring, here)
    .argument('<file>', 'OCI or docker archive, as docker save writes it')
    .action((file, options) => importImages(file, rawSettings(options), options.config, output))
  const list = shaped(images.command('list').description('list the images of this node'))
  withOptions(list, here).action((options) =>
    listImages(rawSettings(options), options.config, output),
  )
}

function withOptions(command: Command, names: readonly OptionName[]): Command {
  for (const option of OPTIONS) if (names.includes(option.name)) command.addOption(flagOf(option))
  const config = new Flag('--config <path>', `configuration file (default: ${CONFIG_PATH})`)
  return command.addOption(config.helpGroup('Files:'))
}

/** Defaults are told, not set: the file and the environment come before them. */
function flagOf(option: Option): Flag {
  const { name, kind, value } = option
  const told = option.default === undefined ? '' : ` (default: ${option.default})`
  const text = `${option.help}${kind === 'switch' ? '' : told}`
  const flag = new Flag(kind === 'switch' ? `--${name}` : `--${name} <${value}>`, text)
  if (kind === 'list') {
    flag.argParser((one: string, before: string[] | undefined) => [...(before ?? []), one])
  }
  return flag.helpGroup(`${option.group}:`)
}

/** Commander's camel case back to our names. */
function rawSettings(options: Record<string, unknown>): RawSettings {
  const settings: RawSettings = {}
  for (const { name } of OPTIONS) {
    const value = options[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]
    if (value !== undefined) settings[name] = value
  }
  return settings
}
