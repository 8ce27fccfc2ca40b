// exec and attach: joins a process in a container with a client, whichever protocol that speaks.

import type { ByteStream } from '../../lib/byte-stream.ts'
import { copyBytes } from '../../lib/net/pipe.ts'
import type { ExecSession } from '../../runtime/contract.ts'
import type { CommandClient, CommandEnd, CommandOptions } from './command-client.ts'
import { acceptCommandSocket } from './command-socket.ts'
import { acceptCommandSpdy } from './command-spdy.ts'
import { containerSpec, type NodeHttp, podOrThrow, runningContainer } from './pods-on-node.ts'
import { HttpError, isSet, type NodeRequest } from './request.ts'
import { upgradeKind } from './upgrade.ts'

/** /exec/{namespace}/{pod}/{container}?command=… */
export async function handleExec(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  signal: AbortSignal,
): Promise<void> {
  const options = commandOptions(request)
  const command = request.query.getAll('command')
  const { id } = await containerOf(node, request, signal)
  const { tty, stdin } = options
  await runCommand(await acceptClient(node, request, stream, options), {
    what: 'executing command in',
    start: (gone) => node.runtime.exec(id, { command, tty, stdin, rest: 'wait' }, gone),
    endOf: (code) => (code === 0 ? { is: 'success' } : { is: 'exit', code }),
  })
}

/** /attach/{namespace}/{pod}/{container}; the container itself says whether there is a terminal. */
export async function handleAttach(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  signal: AbortSignal,
): Promise<void> {
  const [, namespace, podName, name] = request.segments
  const pod = podOrThrow(node.pods, namespace!, podName!)
  const tty = containerSpec(pod, name!)?.tty ?? false
  const asked = commandOptions(request)
  const options = { ...asked, tty, stderr: asked.stderr && !tty }
  const { id } = await containerOf(node, request, signal)
  await runCommand(await acceptClient(node, request, stream, options), {
    what: 'attaching to',
    start: (gone) => node.runtime.attach(id, { tty, stdin: options.stdin }, gone),
    endOf: () => ({ is: 'success' }),
  })
}

function commandOptions(request: NodeRequest): CommandOptions {
  const tty = isSet(request, 'tty')
  const stdin = isSet(request, 'input') || isSet(request, 'stdin')
  const stdout = isSet(request, 'output') || isSet(request, 'stdout')
  // A terminal has one output only.
  const stderr = !tty && (isSet(request, 'error') || isSet(request, 'stderr'))
  if (!stdin && !stdout && !stderr) {
    throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr')
  }
  return { stdin, stdout, stderr, tty }
}

function containerOf(node: NodeHttp, request: NodeRequest, signal: AbortSignal) {
  const [, namespace, podName, container] = request.segments
  const pod = podOrThrow(node.pods, namespace!, podName!)
  return runningContainer(node.runtime, pod, container!, signal)
}

function acceptClient(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  options: CommandOptions,
): Promise<CommandClient> {
  return upgradeKind(request) === 'websocket'
    ? acceptCommandSocket(stream, request, options)
    : acceptCommandSpdy(stream, request, options, node.clock)
}

type Command = {
  /** For the message when it cannot be run: `error … container: why`. */
  what: string
  start(gone: AbortSignal): Promise<ExecSession>
  endOf(exitCode: number): CommandEnd
}

async function runCommand(client: CommandClient, command: Command): Promise<void> {
  const failure = (error: unknown): CommandEnd => {
    const why = error instanceof Error ? error.message : String(error)
    return { is: 'failure', message: `error ${command.what} container: ${why}` }
  }
  let session: ExecSession
  try {
    session = await command.start(client.gone)
  } catch (error) {
    await client.finish(failure(error))
    return
  }
  const onGone = () => session.close()
  client.gone.addEventListener('abort', onGone, { once: true })
  if (client.gone.aborted) onGone()
  try {
    await client.finish(await joinCommand(client, session, command.endOf))
  } catch (error) {
    // A client that has gone needs no answer, and gets none.
    if (!client.gone.aborted) await client.finish(failure(error))
  } finally {
    client.gone.removeEventListener('abort', onGone)
    session.close()
  }
}

/** Resolves when the command has ended and all that it wrote has been taken. */
async function joinCommand(
  client: CommandClient,
  session: ExecSession,
  endOf: Command['endOf'],
): Promise<CommandEnd> {
  client.onResize((columns, rows) => session.resize(columns, rows))
  const exit = session.exitCode
  // Looked at below; until then a failure has no other listener.
  exit.catch(() => {})
  void feed(client.stdin, session)
  await Promise.all([
    copyBytes(session.stdout, (bytes) => client.writeStdout(bytes)),
    copyBytes(session.stderr, (bytes) => client.writeStderr(bytes)),
  ])
  return endOf(await exit)
}

/** A command may end, or close its input, before it has read everything: not an error. */
async function feed(stdin: ReadableStream<Uint8Array> | undefined, session: ExecSession) {
  if (stdin === undefined) return
  try {
    await copyBytes(stdin, (bytes) => session.write(bytes))
    await session.endInput()
  } catch {
    // Either the command or the client is gone; the outputs tell which.
  }
}
