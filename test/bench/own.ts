// Our side of the benches: the compiled executable on a machine (network namespace) of its own.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ociArchive } from '../images/image.ts'
import { testImages } from '../images/recipes.ts'
import { createLab, kubectlOf, type Lab, type Machine, until } from '../support/machines.ts'
import { type Cluster, urlOf } from './peer.ts'

export type OwnCluster = Cluster & AsyncDisposable & { server: Machine; edge: Machine | undefined }

export const OWN_IMAGE = 'kedge-test/busybox:1'

type OwnOptions = { withNode: boolean; withEdge?: boolean }

/** A server, with a node unless `withNode` is false; `withEdge` adds a second machine. */
export async function ownCluster(options: OwnOptions): Promise<OwnCluster> {
  const lab = await createLab()
  const dispose = () => lab[Symbol.asyncDispose]()
  try {
    return { ...(await startCluster(lab, options)), [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function startCluster(lab: Lab, options: OwnOptions) {
  const server = await lab.addMachine('server')
  server.start(server.serverArgv(options.withNode ? [] : ['--disable-agent']))
  const kubeconfig = await server.adminKubeconfig()
  const kubectl = kubectlOf(kubeconfig)
  await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
  let edge: Machine | undefined
  if (options.withEdge) {
    edge = await lab.addMachine('edge')
    await edge.join(server, kubeconfig)
  }
  if (options.withNode) {
    const nodes = ['node/server', ...(edge ? ['node/edge'] : [])]
    const ready = async () =>
      (await kubectl.try(['wait', '--for=condition=Ready', ...nodes, '--timeout=60s'])).code === 0
    await until('Ready nodes', ready)
    const tar = join(lab.folder, 'images.tar')
    writeFileSync(tar, ociArchive(await testImages()))
    for (const machine of edge ? [server, edge] : [server]) await machine.importImages(tar)
  }
  return { kubeconfig, server, edge, image: OWN_IMAGE, url: urlOf(kubeconfig) }
}
