/**
 * Reservations as files, in the reference plugin's own format, so that both may use one directory at the same time:
 *
 *   <dataDir>/<network>/           0755
 *       10.1.2.3                   0600   "<container>\r\n<interface>"; the name is the address
 *       fd00:1::3
 *       last_reserved_ip.0         0600   the address last reserved out of range set 0
 *       lock                       0750   held with flock(2) around every change
 *
 * Old versions of the reference wrote the container only. White space around the text does not count. Whatever else
 * lies in the directory is left alone. disk-index.ts tells quickly who holds what.
 */
import { type Family, familyOf, formatIp, type Ip, ipToBigInt, readIp } from '../address/ip.ts'
import { readAnyIp } from '../cni/address.ts'
import { CniCode, CniError } from '../cni/errors.ts'
import { obstacleTo } from '../cni/file.ts'
import type { Files } from '../cni/host.ts'
import type { Attachment } from '../cni/plugin.ts'
import { teardown } from '../cni/rollback.ts'
import { DiskIndex, type Entry } from './disk-index.ts'
import { type Run, runsOf } from './run.ts'
import { type Holder, isHeldBy, type Reservations, type Store } from './store.ts'

const BETWEEN = '\r\n'
const FILE_MODE = 0o600
const LOCK_MODE = 0o750
const DIRECTORY_MODE = 0o755

/** The reservations that `directory` holds. It is made when the first of them is. */
export function diskStore(files: Files, directory: string): Store {
  return {
    exists: () => files.status(directory) !== undefined,

    requireUsable() {
      const obstacle = obstacleTo(directory, files)
      if (obstacle === undefined) return
      const problem = `Cannot keep reservations in "${directory}": "${obstacle}" is no directory`
      throw new CniError(CniCode.notAvailable, problem)
    },

    locked(body) {
      const lock = lockDirectory(files, directory)
      try {
        const reservations = new DiskReservations(files, directory)
        try {
          return body(reservations)
        } finally {
          reservations.close()
        }
      } finally {
        lock.release()
      }
    },
  }
}

function lockDirectory(files: Files, directory: string): { release(): void } {
  const path = `${directory}/lock`
  try {
    return files.lock(path, LOCK_MODE)
  } catch {
    // Most often the network is new. Whatever else it was comes again.
    files.makeDirectory(directory, DIRECTORY_MODE)
    return files.lock(path, LOCK_MODE)
  }
}

class DiskReservations implements Reservations {
  readonly #files: Files
  readonly #directory: string
  readonly #index: DiskIndex
  /** All entries, once they have been read. */
  #scanned: readonly Entry[] | undefined
  #isChanged = false

  constructor(files: Files, directory: string) {
    this.#files = files
    this.#directory = directory
    this.#index = new DiskIndex(files, files.status(directory)!)
  }

  lastReserved(set: number): Ip | undefined {
    const text = this.#read(lastReservedName(set))
    return text === undefined ? undefined : readAnyIp(text)
  }

  reserve(ip: Ip, set: number, attachment: Attachment): boolean {
    const name = formatIp(ip)
    const text = attachment.containerId + BETWEEN + attachment.ifName
    if (!this.#files.create(this.#path(name), text, FILE_MODE)) return false
    this.#isChanged = true
    try {
      this.#files.write(this.#path(lastReservedName(set)), name, FILE_MODE)
    } catch (error) {
      this.#files.remove(this.#path(name))
      throw error
    }
    this.#index.add({ name, holder: attachment })
    return true
  }

  release(ip: Ip): void {
    const name = formatIp(ip)
    const holder = this.#holderIn(name)
    if (holder) this.#remove({ name, holder })
  }

  holderOf(ip: Ip): Holder | undefined {
    return this.#holderIn(formatIp(ip))
  }

  heldBy(attachment: Attachment): Ip[] {
    return this.#likelyEntries(attachment).flatMap(({ name }) => readIp(name) ?? [])
  }

  isHolder(attachment: Attachment): boolean {
    return this.#allEntries(attachment).length > 0
  }

  releaseAll(attachment: Attachment): void {
    const entries = this.#allEntries(attachment)
    // One for the whole container may be another interface's as long as this one has its own.
    const exact = entries.filter(({ holder }) => holder.ifName !== undefined)
    teardown(...(exact.length > 0 ? exact : entries).map((entry) => () => this.#remove(entry)))
  }

  releaseUnless(isWanted: (holder: Holder) => boolean): void {
    const unwanted = this.#scan().filter(({ name, holder }) => readIp(name) && !isWanted(holder))
    this.#index.keepRuns([]) // or each of thousands would be cut out of them
    teardown(...unwanted.map((entry) => () => this.#remove(entry)))
  }

  reclaim(): boolean {
    const empty = this.#addressNames().filter((name) => {
      const status = this.#files.status(this.#path(name))
      return status?.kind === 'file' && status.size === 0
    })
    // Files are filled under the lock, and the lock is ours: who made these has died in between.
    for (const name of empty) this.#files.remove(this.#path(name))
    if (empty.length === 0) return false
    this.#isChanged = true
    return true
  }

  knownRuns(family: Family): readonly Run[] {
    return this.#index.runs(family)
  }

  takenRuns(family: Family): readonly Run[] {
    const ips = this.#names().flatMap((name) => readIp(name) ?? [])
    const runs = (['ipv4', 'ipv6'] as const).flatMap((each) =>
      runsOf(ips.filter((ip) => familyOf(ip) === each).map(ipToBigInt)).map((run) => ({ ...run, family: each })),
    )
    this.#index.keepRuns(runs)
    return runs.filter((run) => run.family === family)
  }

  /** What must be done before the lock is released. */
  close(): void {
    if (!this.#isChanged) return
    const status = this.#files.status(this.#directory)
    if (status) this.#index.close(status)
  }

  /** The attachment's entries as far as the index knows them; each has been looked at. */
  #likelyEntries(attachment: Attachment): Entry[] {
    let entries: readonly Entry[] | undefined = this.#index.entries(attachment.containerId)
    if (!entries) {
      entries = this.#scan()
      this.#index.rebuild(entries)
    }
    return entries.flatMap(({ name }) => {
      const holder = this.#holderIn(name)
      return holder && isHeldBy(holder, attachment) ? [{ name, holder }] : []
    })
  }

  /** All of the attachment's entries. What the index does not know is searched for: no reservation may be forgotten. */
  #allEntries(attachment: Attachment): Entry[] {
    const likely = this.#likelyEntries(attachment)
    if (likely.length > 0) return likely
    const entries = this.#scan()
    const found = entries.filter(({ holder }) => isHeldBy(holder, attachment))
    if (found.length > 0) this.#index.rebuild(entries)
    return found
  }

  /** Reads every file, once. */
  #scan(): readonly Entry[] {
    this.#scanned ??= this.#names().flatMap((name) => {
      const holder = this.#holderIn(name)
      return holder ? [{ name, holder }] : []
    })
    return this.#scanned
  }

  #remove(entry: Entry): void {
    this.#isChanged = true
    this.#files.remove(this.#path(entry.name))
    this.#index.delete(entry)
    const ip = readIp(entry.name)
    if (ip) this.#index.freeInRuns(ip)
    this.#scanned = undefined
  }

  #holderIn(name: string): Holder | undefined {
    const text = this.#read(name)
    return text === undefined ? undefined : parseHolder(name, text)
  }

  /** Undefined also for what cannot be read, such as a directory: that is no reservation. */
  #read(name: string): string | undefined {
    try {
      return this.#files.read(this.#path(name))
    } catch {
      return undefined
    }
  }

  #names(): string[] {
    return this.#files.list(this.#directory) ?? []
  }

  #addressNames(): string[] {
    return this.#names().filter((name) => readIp(name))
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`
  }
}

function lastReservedName(set: number): string {
  return `last_reserved_ip.${set}`
}

/** Undefined when the text is no reservation's. Without an interface only a file named by an address is one. */
function parseHolder(name: string, text: string): Holder | undefined {
  const [containerId, ifName, ...more] = text.trim().split(BETWEEN)
  if (!containerId || more.length > 0) return undefined
  return ifName !== undefined || readIp(name) ? { containerId, ifName } : undefined
}
