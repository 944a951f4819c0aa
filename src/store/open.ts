/** From what a user has set to a store. */
import { resolve } from 'node:path'
import type { WallClock } from './clock.ts'
import { etcdStore } from './etcd/etcd.ts'
import type { EtcdSettings } from './etcd/settings.ts'
import { fileStore } from './file/file.ts'
import type { StoreFiles } from './file/files.ts'
import { nodeFiles } from './file/node-files.ts'
import type { Store } from './store.ts'
import { systemClock } from './system-clock.ts'

export type StoreSettings = { readonly etcd: EtcdSettings } | { readonly file: string }

export interface Surroundings {
  /** flock(2), of linux/files.ts: Node has none. */
  readonly tryLock: StoreFiles['tryLock']
  /** For people: what in the store cannot be read and is left out. */
  report(problem: string): void
  readonly clock?: WallClock
}

/** Asks nothing yet. RangeError when the settings cannot be meant so. */
export function openStore(settings: StoreSettings, { tryLock, report, clock = systemClock }: Surroundings): Store {
  if ('etcd' in settings) return etcdStore(settings.etcd)
  return fileStore({ directory: resolve(settings.file), files: nodeFiles(tryLock), clock, report })
}
