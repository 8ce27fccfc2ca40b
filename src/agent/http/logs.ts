// /containerLogs/{namespace}/{pod}/{container}: what a container has written, from its log file.

import type { Pod } from '../../api/schema/generated/types.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { formatChunk, formatHead, LAST_CHUNK } from '../../lib/net/http1.ts'
import { readLog } from './log-file.ts'
import { type LogFilter, LogText } from './log-lines.ts'
import { containerSpec, containerStatus, type NodeHttp, podOrThrow } from './pods-on-node.ts'
import { HttpError, isSet, type NodeRequest, statusLine } from './request.ts'

export async function handleLogs(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  signal: AbortSignal,
): Promise<void> {
  const [, namespace, podName, name] = request.segments
  const filter = filterOf(request, node.clock.nowMs())
  const tailLines = count(request, 'tailLines')
  const pod = podOrThrow(node.pods, namespace!, podName!, `pod ${quoted(podName)} does not exist`)
  if (containerSpec(pod, name!) === undefined) {
    throw new HttpError(404, `container ${quoted(name)} not found in pod ${quoted(podName)}`)
  }
  const id = containerWithLog(pod, name!, isSet(request, 'previous'))
  const path = await logPath(node, pod, name!, id, signal)
  const text = new LogText(filter)
  const follow = isSet(request, 'follow') ? followOf(node, pod, id) : undefined
  const onRotated = () => text.startFile()
  const bytes = readLog(path, { tailLines, follow, onRotated }, signal)
  await send(stream, text, bytes, `unable to retrieve container logs for containerd://${id}`)
}

async function send(
  stream: ByteStream,
  text: LogText,
  bytes: AsyncGenerator<Uint8Array>,
  failure: string,
): Promise<void> {
  let first: IteratorResult<Uint8Array>
  try {
    first = await bytes.next()
  } catch (error) {
    throw new HttpError(400, failure, { cause: error })
  }
  const head = formatHead(statusLine(200), [
    ['Content-Type', 'text/plain'],
    ['Transfer-Encoding', 'chunked'],
    ['Connection', 'close'],
  ])
  await stream.write(head)
  for (let item = first; !item.done && !text.full; item = await bytes.next()) {
    const part = text.add(item.value)
    if (part.byteLength > 0) await stream.write(formatChunk(part))
  }
  await bytes.return(undefined)
  await stream.write(LAST_CHUNK)
  await stream.end()
}

function filterOf(request: NodeRequest, nowMs: number): LogFilter {
  const stream = request.query.get('stream') ?? 'All'
  if (stream !== 'All' && stream !== 'Stdout' && stream !== 'Stderr') {
    throw new HttpError(400, `invalid stream type ${quoted(stream)}`)
  }
  const seconds = count(request, 'sinceSeconds')
  const since = request.query.get('sinceTime')
  const sinceMs = since === null ? undefined : Date.parse(since)
  if (Number.isNaN(sinceMs)) throw new HttpError(400, '{"message": "Unable to decode query."}')
  return {
    sinceMs: seconds === undefined ? sinceMs : nowMs - seconds * 1000,
    stream,
    timestamps: isSet(request, 'timestamps'),
    limitBytes: count(request, 'limitBytes'),
  }
}

function count({ query }: NodeRequest, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^\d+$/.test(text)) throw new HttpError(400, '{"message": "Unable to decode query."}')
  return Number(text)
}

/**
 * The id of the container whose log is wanted, by the status of the pod. The words for those that
 * have none are the kubelet's, which users know.
 */
export function containerWithLog(pod: Pod, name: string, previous: boolean): string {
  const where = `container ${quoted(name)} in pod ${quoted(pod.metadata.name)}`
  const status = containerStatus(pod, name)
  if (status === undefined) throw new HttpError(400, `${where} is not available`)
  const { running, terminated, waiting } = status.state ?? {}
  const last = status.lastState?.terminated?.containerID
  if (previous) {
    if (last) return bareId(last)
    throw new HttpError(400, `previous terminated ${where} not found`)
  }
  if (running !== undefined && status.containerID) return bareId(status.containerID)
  if (terminated?.containerID) return bareId(terminated.containerID)
  if (last) return bareId(last)
  if (terminated !== undefined || status.lastState?.terminated !== undefined) {
    throw new HttpError(400, `${where} is terminated`)
  }
  if (waiting === undefined) throw new HttpError(400, `${where} is waiting to start - no logs yet`)
  throw new HttpError(400, `${where} is waiting to start: ${whyWaiting(waiting.reason ?? '')}`)
}

function whyWaiting(reason: string): string {
  if (reason === 'ErrImagePull') return "image can't be pulled"
  if (reason === 'ImagePullBackOff') return 'trying and failing to pull image'
  return reason
}

/** `containerd://abc` without its scheme. */
const bareId = (id: string) => id.slice(id.indexOf('://') + 3)

async function logPath(
  node: NodeHttp,
  pod: Pod,
  name: string,
  id: string,
  signal: AbortSignal,
): Promise<string> {
  const { namespace, name: podName, uid } = pod.metadata
  const { containers } = await node.runtime.observe(uid ?? '', signal)
  const seen = containers.find((container) => container.id === id)
  const attempt = seen?.attempt ?? attemptInStatus(pod, name, id)
  if (attempt === undefined) {
    throw new HttpError(400, `unable to retrieve container logs for containerd://${id}`)
  }
  return `${node.logsPath}/${namespace}_${podName}_${uid}/${name}/${attempt}.log`
}

/** The runtime forgets the containers of a pod that has ended; its status and its logs stay. */
function attemptInStatus(pod: Pod, name: string, id: string): number | undefined {
  const status = containerStatus(pod, name)
  const isOf = (containerId: string | undefined) => containerId?.endsWith(`//${id}`) ?? false
  if (status === undefined) return undefined
  if (isOf(status.containerID)) return status.restartCount
  return isOf(status.lastState?.terminated?.containerID) ? status.restartCount - 1 : undefined
}

function followOf(node: NodeHttp, pod: Pod, id: string) {
  const uid = pod.metadata.uid ?? ''
  return {
    async isRunning(signal: AbortSignal) {
      const { containers } = await node.runtime.observe(uid, signal)
      const state = containers.find((container) => container.id === id)?.state
      return state === 'running' || state === 'created'
    },
    onChange: (changed: () => void) =>
      node.runtime.onChange((changedUid) => {
        if (changedUid === uid) changed()
      }),
  }
}

const quoted = (text: string | undefined) => JSON.stringify(text ?? '')
