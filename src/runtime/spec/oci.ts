// The parts of the OCI runtime specification that we write (config.json of runc).

export type OciSpec = {
  ociVersion: string
  process: OciProcess
  root: { path: string; readonly: boolean }
  hostname?: string
  mounts: OciMount[]
  annotations?: Record<string, string>
  linux: OciLinux
}

export type OciProcess = {
  terminal: boolean
  user: { uid: number; gid: number; additionalGids: number[]; umask?: number }
  args: string[]
  env: string[]
  cwd: string
  capabilities: Record<'bounding' | 'effective' | 'permitted', string[]>
  noNewPrivileges: boolean
  oomScoreAdj: number
}

export type OciMount = { destination: string; type: string; source: string; options: string[] }

export type OciNamespace = { type: string; path?: string }

export type OciDevice = {
  path: string
  type: 'b' | 'c'
  major: number
  minor: number
  fileMode: number
  uid: number
  gid: number
}

export type OciResources = {
  devices: { allow: boolean; access: string; type?: string; major?: number; minor?: number }[]
  cpu?: { shares?: number; quota?: number; period?: number }
  memory?: { limit?: number; swap?: number }
  hugepageLimits?: { pageSize: string; limit: number }[]
}

export type OciLinux = {
  cgroupsPath: string
  namespaces: OciNamespace[]
  resources: OciResources
  devices?: OciDevice[]
  seccomp?: OciSeccomp
  maskedPaths: string[]
  readonlyPaths: string[]
  rootfsPropagation?: string
}

export type OciSeccomp = {
  defaultAction: string
  architectures?: readonly string[]
  syscalls: OciSyscallRule[]
}

export type OciSyscallRule = {
  names: string[]
  action: string
  errnoRet?: number
  args?: { index: number; value: number; valueTwo?: number; op: string }[]
}
