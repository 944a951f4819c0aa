/** Options of `overlab pool`, as commander gives them. */
import type { VxlanMode } from '../../pool/pool.ts'
import type { StoreSettings } from '../../store/open.ts'
import { CommandError, Exit } from '../exit.ts'
import type { Format } from '../output.ts'

export interface StoreFlags {
  readonly store: string
  readonly etcdEndpoints: string
  readonly etcdCafile?: string
  readonly etcdCertfile?: string
  readonly etcdKeyfile?: string
  readonly etcdUsername?: string
  readonly etcdPassword?: string
  readonly output: Format
}

export interface PoolFlags {
  readonly blockSize?: number
  readonly vxlanMode?: VxlanMode
  readonly natOutgoing?: boolean
  readonly nodeSelector?: string
  readonly disabled?: true
  readonly disable?: true
  readonly enable?: true
  readonly disableBgpExport?: true
  readonly bgpExport?: true
}

export interface SettingFlags {
  readonly strictAffinity?: boolean
  readonly autoAllocateBlocks?: boolean
  readonly maxBlocksPerHost?: number
}

/** CommandError when it is no store. */
export function storeSettings(flags: StoreFlags): StoreSettings {
  const { store } = flags
  if (store === 'etcd') {
    return {
      etcd: {
        endpoints: flags.etcdEndpoints.split(','),
        ca: flags.etcdCafile,
        cert: flags.etcdCertfile,
        key: flags.etcdKeyfile,
        username: flags.etcdUsername,
        password: flags.etcdPassword,
      },
    }
  }
  const [, directory] = /^file:(.+)$/.exec(store) ?? []
  if (directory !== undefined) return { file: directory }
  throw new CommandError(Exit.usage, `Cannot use --store ${store}: give etcd, or file:DIRECTORY`)
}
