import type { ResourceRequest } from '../server.ts'

/**
 * Reads for a request that may want the newest state there is: one that names no revision does.
 * Where nothing has to be waited for, `read` runs at once.
 */
export function readNewest<T>(
  { server, call }: Pick<ResourceRequest, 'server' | 'call'>,
  resourceVersion: string | undefined,
  read: () => T,
): T | Promise<T> {
  const behind = resourceVersion ? undefined : server.store.current(call.signal)
  return behind === undefined ? read() : behind.then(read)
}
