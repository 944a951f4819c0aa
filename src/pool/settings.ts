/** What holds for all pools: Calico's IPAMConfig. */
import type { Entry } from '../store/store.ts'
import { PoolError } from './errors.ts'
import { SETTINGS } from './keys.ts'
import { get, type Steps, transact } from './steps.ts'
import { damaged, fieldsOf, isCount } from './stored.ts'

export interface IpamSettings {
  /** No node uses an address of another node's block. */
  readonly strictAffinity: boolean
  /** A node whose blocks are full claims another one. */
  readonly autoAllocateBlocks: boolean
  /** Of one family. */
  readonly maxBlocksPerHost: number
}

export const DEFAULT_SETTINGS: IpamSettings = {
  strictAffinity: false,
  autoAllocateBlocks: true,
  maxBlocksPerHost: 20,
}

export function* readSettings(): Steps<IpamSettings> {
  const entry = yield* get(SETTINGS)
  return entry ? parseSettings(entry) : DEFAULT_SETTINGS
}

/** PoolError when no node could ever have an address by them. */
export function* changeSettings(changes: Partial<IpamSettings>): Steps<IpamSettings> {
  for (;;) {
    const entry = yield* get(SETTINGS)
    const settings = { ...(entry ? parseSettings(entry) : DEFAULT_SETTINGS), ...changes }
    if (settings.strictAffinity && !settings.autoAllocateBlocks) {
      throw new PoolError(
        'invalid',
        'Cannot combine "strictAffinity" with no "autoAllocateBlocks": no node would get a block',
      )
    }
    const value = JSON.stringify({
      strict_affinity: settings.strictAffinity,
      auto_allocate_blocks: settings.autoAllocateBlocks,
      maxBlocksPerHost: settings.maxBlocksPerHost,
    })
    if (yield* transact([{ key: SETTINGS, revision: entry?.revision }], [{ put: SETTINGS, value }])) return settings
  }
}

function parseSettings(entry: Entry): IpamSettings {
  const fields = fieldsOf(entry)
  const {
    strict_affinity: strictAffinity = DEFAULT_SETTINGS.strictAffinity,
    auto_allocate_blocks: autoAllocateBlocks = DEFAULT_SETTINGS.autoAllocateBlocks,
    maxBlocksPerHost = DEFAULT_SETTINGS.maxBlocksPerHost,
  } = fields
  if (typeof strictAffinity !== 'boolean' || typeof autoAllocateBlocks !== 'boolean' || !isCount(maxBlocksPerHost)) {
    throw damaged(entry.key, 'a value in it has the wrong type')
  }
  return { strictAffinity, autoAllocateBlocks, maxBlocksPerHost: maxBlocksPerHost || DEFAULT_SETTINGS.maxBlocksPerHost }
}
