// The commands of kedge, as a table for commander.

import { Command, CommanderError, Option as Flag } from 'commander'
import type { RawSettings } from '../daemon/config.ts'
import { OPTIONS, type Option, type OptionName, type Role } from '../daemon/options.ts'
import { UserError } from '../lib/user-error.ts'
import { VERSION } from '../lib/version.ts'
import { importImages, listImages } from './images.ts'
import { type Output, standardOutput } from './output.ts'
import { run } from './run.ts'
import { createToken } from './token.ts'

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
    throw new UserError(error.message.replace(/^error: /, ''))
  }
}

function createProgram(output: Output): Command {
  const program = new Command('kedge')
    .description('Kubernetes in one executable')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: () => {} })
    .helpCommand(false)
  addRun(program, 'server', 'run a control plane and, unless told otherwise, a node')
  addRun(program, 'agent', 'run a node that joins a server')

  const token = program.command('token').description('manage join tokens')
  withOptions(token.command('create').description('make a token that lets a node join'), [])
    .option('--ttl <duration>', 'how long it is good for, such as 24h; 0 for ever', '24h')
    .option('--description <text>', 'what it is for')
    .option('--kubeconfig <path>', 'kubeconfig to use', '/etc/kedge/kubeconfig.yaml')
    .action((options) => createToken(options, output))

  const images = program.command('images').description('manage the images of this node')
  const here: OptionName[] = ['data-dir', 'run-dir', 'containerd-address']
  withOptions(images.command('import').description('bring images from an archive'), here)
    .argument('<file>', 'OCI or docker archive, as `docker save` writes it')
    .action((file, options) => importImages(file, rawSettings(options), options.config, output))
  withOptions(images.command('list').description('list the images of this node'), here).action(
    (options) => listImages(rawSettings(options), options.config, output),
  )

  program
    .command('version')
    .description('print the version')
    .action(() => output.write(`kedge ${VERSION}\n`))
  return program
}

function addRun(program: Command, role: Role, description: string): void {
  const names = OPTIONS.filter(({ roles }) => roles.includes(role)).map(({ name }) => name)
  withOptions(program.command(role).description(description), names).action((options) =>
    run(role, rawSettings(options), options.config),
  )
}

function withOptions(command: Command, names: readonly OptionName[]): Command {
  if (names.length > 0) command.option('--config <path>', 'configuration file')
  for (const option of OPTIONS) if (names.includes(option.name)) command.addOption(flagOf(option))
  return command.exitOverride().allowExcessArguments(false)
}

/** Defaults are told, not set: the file and the environment come before them. */
function flagOf(option: Option): Flag {
  const told = option.default === undefined ? '' : ` (default: ${option.default})`
  const text = `${option.help}${option.kind === 'switch' ? '' : told}`
  if (option.kind === 'switch') return new Flag(`--${option.name}`, text)
  const flag = new Flag(`--${option.name} <value>`, text)
  if (option.kind === 'list') {
    flag.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
  }
  return flag
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
