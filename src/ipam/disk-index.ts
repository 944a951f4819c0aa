/**
 * The index of a directory of reservations: who holds which file, so that nobody has to read ten thousand of them.
 *
 *   /run/overlab/ipam/<device>.<inode>/<time>/   <device>.<inode>: the directory of reservations itself
 *       3f       lines "<file> <container> <interface>", spread over 256 files by a hash of the container
 *       runs     lines "<from> <to>": long runs of taken addresses
 *
 * It is a cache: it lies where a reboot forgets it, each line is believed only after a look at the file that it names, and
 * a place that cannot be written just makes us slower. `<time>` is when the directory of reservations was last changed,
 * in nanoseconds, as we left it; when somebody else has changed it since, there is no index by that name, and one scan
 * makes it anew. Renaming the folder is the last thing that we do, so one who dies before leaves an index that is
 * not found either. A kernel whose clock ticks every 4 ms can give two changes one time: what an index does not know may
 * therefore still be there.
 *
 * The lock of the directory of reservations covers the index too.
 */
import { type Family, familyOf, formatIp, type Ip, ipFromBigInt, ipToBigInt, readIp } from '../address/ip.ts'
import type { FileStatus, Files } from '../cni/host.ts'
import { type Run, withoutAddress } from './run.ts'
import type { Holder } from './store.ts'

const ROOT = '/run/overlab/ipam'

/** The bucket that is none: the runs. */
const RUNS = 'runs'

/** Addresses in the shortest run that is kept. Shorter ones the allocator steps over by trying. */
const SHORTEST_RUN = 8n

/** A file in the directory of reservations, and who it says holds it. */
export interface Entry {
  readonly name: string
  readonly holder: Holder
}

export interface FamilyRun extends Run {
  readonly family: Family
}

/** Removes the index of a directory of reservations that goes itself: nobody else would before the machine boots. */
export function removeIndex(files: Files, directory: FileStatus): void {
  const home = homeOf(directory)
  removeFolders(home, files)
  files.removeDirectory(home)
  try {
    files.removeDirectory(ROOT)
  } catch {} // other directories have an index there
}

export class DiskIndex {
  readonly #files: Files
  /** The folder of this directory's index, and in it the one that is right at the time. */
  readonly #home: string
  #folder: string
  #state: 'unknown' | 'usable' | 'missing' = 'unknown'
  /** Text of the bucket files read so far. */
  readonly #buckets = new Map<string, string>()
  readonly #changed = new Set<string>()

  /** `directory` is the status of the directory of reservations. */
  constructor(files: Files, directory: FileStatus) {
    this.#files = files
    this.#home = homeOf(directory)
    this.#folder = `${this.#home}/${directory.modified}`
  }

  /** Entries that may be the container's; undefined when there is no index. */
  entries(containerId: string): Entry[] | undefined {
    const text = this.#bucket(bucketOf(containerId))
    return text === undefined ? undefined : parseEntries(text, containerId)
  }

  add(entry: Entry): void {
    const line = formatEntry(entry)
    if (line) this.#change(bucketOf(entry.holder.containerId), (text) => text + line)
  }

  delete(entry: Entry): void {
    const line = formatEntry(entry)
    if (line) this.#change(bucketOf(entry.holder.containerId), (text) => withoutLine(text, line))
  }

  /** Makes the index anew out of all entries there are. */
  rebuild(entries: readonly Entry[]): void {
    const lines = new Map<string, string[]>()
    for (const entry of entries) {
      const line = formatEntry(entry)
      if (!line) continue
      const bucket = bucketOf(entry.holder.containerId)
      const others = lines.get(bucket)
      if (others) others.push(line)
      else lines.set(bucket, [line])
    }
    this.#buckets.clear()
    this.#changed.clear()
    for (const [bucket, each] of lines) this.#buckets.set(bucket, each.join(''))
    this.#state = 'missing'
    this.#attempt(() => {
      removeFolders(this.#home, this.#files)
      const unfinished = `${this.#home}/unfinished`
      this.#files.makeDirectory(unfinished, 0o700)
      for (const [bucket, text] of this.#buckets) this.#write(unfinished, bucket, text)
      this.#files.rename(unfinished, this.#folder)
      this.#state = 'usable'
    })
  }

  /** Long runs of taken addresses, as they were when somebody looked. */
  runs(family: Family): FamilyRun[] {
    return parseRuns(this.#bucket(RUNS) ?? '').filter((run) => run.family === family)
  }

  /** Keeps the long ones of these runs; forgets those it had. */
  keepRuns(runs: readonly FamilyRun[]): void {
    const long = runs.filter(({ from, to }) => to - from + 1n >= SHORTEST_RUN)
    this.#change(RUNS, () => long.map(formatRun).join(''))
  }

  /** The address is in no run any more. */
  freeInRuns(ip: Ip): void {
    this.#change(RUNS, (text) => {
      const family = familyOf(ip)
      const address = ipToBigInt(ip)
      const runs = parseRuns(text).flatMap((run) => (run.family === family ? withoutAddress(run, address) : run))
      return runs.map(formatRun).join('')
    })
  }

  /** Writes what has changed. `directory` is the status of the directory of reservations as it is left. */
  close(directory: FileStatus): void {
    if (this.#state !== 'usable') return
    this.#attempt(() => {
      for (const bucket of this.#changed) this.#write(this.#folder, bucket, this.#buckets.get(bucket)!)
      const folder = `${this.#home}/${directory.modified}`
      if (folder !== this.#folder) this.#files.rename(this.#folder, folder)
    })
  }

  #bucket(bucket: string): string | undefined {
    const known = this.#buckets.get(bucket)
    if (known !== undefined) return known
    if (this.#state === 'missing') return undefined
    const text = this.#attempt(() => this.#files.read(`${this.#folder}/${bucket}`))
    if (text === undefined && !this.#isUsable()) return undefined
    this.#state = 'usable'
    this.#buckets.set(bucket, text ?? '')
    return text ?? ''
  }

  #change(bucket: string, edit: (text: string) => string): void {
    const text = this.#bucket(bucket)
    if (text === undefined) return
    const edited = edit(text)
    if (edited === text) return
    this.#buckets.set(bucket, edited)
    this.#changed.add(bucket)
  }

  /** An empty file says no more than none does. */
  #write(folder: string, bucket: string, text: string): void {
    if (text === '') this.#files.remove(`${folder}/${bucket}`)
    else this.#files.write(`${folder}/${bucket}`, text, 0o600)
  }

  #isUsable(): boolean {
    if (this.#state === 'unknown') {
      this.#state = this.#attempt(() => this.#files.status(this.#folder)) ? 'usable' : 'missing'
    }
    return this.#state === 'usable'
  }

  /** The reservations are right without their index: whatever stands in its way, we go on without. */
  #attempt<T>(step: () => T): T | undefined {
    try {
      return step()
    } catch {
      this.#state = 'missing'
      return undefined
    }
  }
}

/** FNV-1a folded to one byte. That of 64 bits in cni/hash.ts takes ten times as long, which ten thousand entries feel. */
function bucketOf(containerId: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < containerId.length; i++) hash = Math.imul(hash ^ containerId.charCodeAt(i), 0x01000193)
  const byte = (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff
  return (byte >> 4).toString(16) + (byte & 15).toString(16)
}

/** Undefined when a word would not be one word: such a file is found by scanning only. */
function formatEntry({ name, holder }: Entry): string | undefined {
  const words = holder.ifName === undefined ? [name, holder.containerId] : [name, holder.containerId, holder.ifName]
  const isPlain = (word: string) => word !== '' && !word.includes(' ') && !word.includes('\n')
  return words.every(isPlain) ? `${words.join(' ')}\n` : undefined
}

function parseEntries(text: string, containerId: string): Entry[] {
  const entries: Entry[] = []
  for (const line of text.split('\n')) {
    if (!line.includes(containerId)) continue
    const [name, id, ifName] = line.split(' ')
    if (name && id === containerId && !name.includes('/')) entries.push({ name, holder: { containerId, ifName } })
  }
  return entries
}

function withoutLine(text: string, line: string): string {
  return text
    .split('\n')
    .filter((other) => `${other}\n` !== line)
    .join('\n')
}

function formatRun({ from, to, family }: FamilyRun): string {
  return `${formatIp(ipFromBigInt(from, family))} ${formatIp(ipFromBigInt(to, family))}\n`
}

function parseRuns(text: string): FamilyRun[] {
  const runs: FamilyRun[] = []
  for (const line of text.split('\n')) {
    const [from, to] = line.split(' ').map(readIp)
    if (from && to) runs.push({ from: ipToBigInt(from), to: ipToBigInt(to), family: familyOf(from) })
  }
  return runs
}

function homeOf({ device, inode }: FileStatus): string {
  return `${ROOT}/${device}.${inode}`
}

function removeFolders(home: string, files: Files): void {
  for (const folder of files.list(home) ?? []) {
    const path = `${home}/${folder}`
    for (const name of files.list(path) ?? []) files.remove(`${path}/${name}`)
    files.removeDirectory(path)
  }
}
