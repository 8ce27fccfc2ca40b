// A machine's worth of real runtime in a temporary folder: containerd, network, containers. For a
// process that has network, mount and process namespaces of its own.

import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '../../src/lib/clock.ts'
import { systemPty } from '../../src/lib/linux/pty.ts'
import { LinuxSyscalls } from '../../src/lib/linux/syscalls.ts'
import { createLog, type Level } from '../../src/lib/log.ts'
import { SystemProcesses } from '../../src/lib/process.ts'
import { SystemRandom } from '../../src/lib/random.ts'
import { systemHostFiles } from '../../src/network/host-settings.ts'
import { createNft } from '../../src/network/nft.ts'
import { NodeNetwork } from '../../src/network/pods/node-network.ts'
import { Containerd } from '../../src/runtime/containerd.ts'
import { CtrRuntime } from '../../src/runtime/ctr-runtime.ts'
import { CtrImages } from '../../src/runtime/images/ctr-images.ts'
import { imageArchitecture } from '../../src/runtime/images/image-content.ts'
import { ociArchive } from '../images/image.ts'
import { testImages } from '../images/recipes.ts'

export type RealRuntime = Awaited<ReturnType<typeof startRealRuntime>>

/** One run of the agent's part; `stop` leaves containers running. */
async function startAgentPart(folder: string, level: Level) {
  const [clock, random, processes] = [new SystemClock(), new SystemRandom(), new SystemProcesses()]
  const log = createLog({ clock, level, format: 'text', write: (line) => console.error(line) })
  const containerd = new Containerd({
    processes,
    clock,
    log,
    rootDir: join(folder, 'lib/containerd'),
    stateDir: join(folder, 'run/containerd'),
  })
  const pty = systemPty(clock)
  const architecture = imageArchitecture(process.arch)
  const images = new CtrImages({
    ctr: containerd.ctr,
    pty,
    architecture,
    hostsDir: join(folder, 'run/registries'),
  })
  const network = new NodeNetwork({
    processes,
    log,
    userConfigDir: undefined,
    nft: createNft({ processes, random }),
    flows: { translates: () => {} },
    hostFiles: systemHostFiles(join(folder, 'run/network/host-settings')),
    serviceCidr: '10.78.0.0/16',
    runDir: join(folder, 'run/network'),
  })
  const runtime = new CtrRuntime({
    processes,
    pty,
    clock,
    random,
    log,
    containerd,
    images,
    network,
    syscalls: new LinuxSyscalls(),
    stateDir: join(folder, 'lib/runtime'),
    runDir: join(folder, 'run'),
    linksDir: join(folder, 'links'),
    seccompDir: join(folder, 'seccomp'),
    arch: process.arch,
  })
  const stop = new AbortController()
  const { done } = await runtime.start(stop.signal)
  const settings = {
    nodeName: 'test',
    podCidrs: ['10.77.0.0/24'],
    clusterCidrs: ['10.77.0.0/16'],
    peers: [],
  }
  await network.configure(settings, stop.signal)
  return {
    runtime,
    images,
    network,
    containerd,
    async stop() {
      stop.abort()
      await done.catch(() => {}) // Reported by what waits for it.
    },
  }
}

export async function startRealRuntime({ level = 'error' as Level } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-runtime-'))
  const cgroupParent = `kedge-test-${folder.split('-').at(-1)}`
  const signal = new AbortController().signal
  let part = await startAgentPart(folder, level)
  const archive = join(folder, 'images.tar')
  await Bun.write(archive, ociArchive(await testImages()))
  await part.images.import(archive, signal)
  const image = (await part.images.find('kedge-test/busybox:1', signal))!
  return {
    folder,
    cgroupParent,
    image,
    get runtime() {
      return part.runtime
    },
    get images() {
      return part.images
    },
    get containerd() {
      return part.containerd
    },
    get network() {
      return part.network
    },
    /** `meanwhile` happens while no agent runs. */
    async restart(meanwhile: () => Promise<void> = async () => {}) {
      await part.stop()
      await meanwhile()
      part = await startAgentPart(folder, level)
    },
    async close() {
      for (const uid of (await part.runtime.observeAll(signal)).keys()) {
        await part.runtime.removeSandbox(uid, signal)
      }
      await part.stop()
      await removeCgroups(cgroupParent)
      await endContainerd(folder)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The containerd that runs from our folder. */
async function endContainerd(folder: string): Promise<void> {
  // A process that has ended, or waits to be reaped, has no command line.
  const commandOf = (pid: string) =>
    Bun.file(`/proc/${pid}/cmdline`)
      .text()
      .catch(() => '')
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await commandOf(pid)
    if (!command.startsWith('containerd\0') || !command.includes(folder)) continue
    process.kill(Number(pid), 'SIGKILL')
    while ((await commandOf(pid)) !== '') await Bun.sleep(5)
  }
}

async function removeCgroups(parent: string): Promise<void> {
  const roots = ['/sys/fs/cgroup']
  for (const name of await readdir('/sys/fs/cgroup')) roots.push(`/sys/fs/cgroup/${name}`)
  for (const root of roots) {
    for (const path of ['burstable', 'besteffort', '']) {
      await rmdir(join(root, parent, path)).catch(() => {}) // Not every hierarchy has it.
    }
  }
}
