/**
 * What was announced by hand, beside the configuration: kept in a file, so that it is there again after the speaker was. Who
 * announces addresses of services does not have to watch whether the speaker is still the same.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatCommunity } from '../../bgp/attribute/communities.ts'
import { readNetworks } from '../../bgp/config.ts'
import type { Network } from '../../bgp/speaker-settings.ts'
import { files } from '../../linux/files.ts'

const NAME = 'announced.json'
const MODE = 0o600

export interface Announcements {
  /** Empty when there is no file. Throws Error when it cannot be used. */
  read(): readonly Network[]
  write(networks: readonly Network[]): void
}

export function announcementsIn(directory: string): Announcements {
  const path = join(directory, NAME)
  return {
    read() {
      try {
        return readNetworks(JSON.parse(readFileSync(path, 'utf8')))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw new Error(`Cannot use "${path}": ${(error as Error).message}`, { cause: error })
      }
    },
    write(networks) {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      const rows = networks.map((network) => ({ ...network, communities: network.communities.map(formatCommunity) }))
      files.replace(path, `${JSON.stringify(rows, undefined, 1)}\n`, MODE)
    },
  }
}
