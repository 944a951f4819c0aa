/**
 * Scratch files: ADD notes what the delegate was given, since by the time of CHECK, DEL and GC the network's configuration
 * and subnet.env may say something else.
 *
 *   <dataDir>/                                0700
 *       <container>                           0600   the container's first attachment
 *       <container>:<interface>                      its further ones
 *   /run/overlab/flannel/<device>.<inode>/    of <dataDir>
 *       <container>                           0600   "<inode> <time> <interface>": whose the first file is
 *
 * The first file lies where flannel's plugin has the only one, with the same text: either tears down what the other set up.
 * No container's id has a ":" in it, so that flannel's plugin never takes a further one for its own. It does not say whose
 * the first one is. That stands where a reboot forgets it, and is believed as long as the file is the one that we wrote;
 * else whoever asks first may have it.
 */
import { isName } from '../../cni/config.ts'
import type { FileStatus, Files } from '../../cni/host.ts'
import type { Attachment } from '../../cni/plugin.ts'
import { KernelError } from '../../kernel/errors.ts'

const OWNERS = '/run/overlab/flannel'
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

export interface Scratch {
  readonly path: string
  readonly containerId: string
  /** Undefined when it is not known: flannel's plugin wrote it, or the machine has been booted since. */
  readonly ifName: string | undefined
  readonly text: string
}

/** Removes the owners of a directory's files that goes itself: nobody else would before the machine boots. */
export function removeOwners(files: Files, directory: FileStatus): void {
  const home = homeOf(directory)
  for (const containerId of files.list(home) ?? []) files.remove(`${home}/${containerId}`)
  files.removeDirectory(home)
  try {
    files.removeDirectory(OWNERS)
  } catch {} // other directories have owners there
}

const homeOf = ({ device, inode }: FileStatus) => `${OWNERS}/${device}.${inode}`

export class ScratchDirectory {
  readonly #files: Files
  readonly #directory: string

  constructor(files: Files, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  /** The attachment's; one whose owner is not known is anybody's. */
  get({ containerId, ifName }: Attachment): Scratch | undefined {
    const own = this.#read(`${containerId}:${ifName}`)
    if (own) return own
    const first = this.#read(containerId)
    return first && (first.ifName ?? ifName) === ifName ? first : undefined
  }

  /** All there are, in no order. */
  list(): Scratch[] {
    return (this.#files.list(this.#directory) ?? []).flatMap((name) => this.#readIfFile(name) ?? [])
  }

  /** Writes the attachment's, over the one it has. Answers how to take that back. */
  save({ containerId, ifName }: Attachment, text: string): () => void {
    this.#files.makeDirectory(this.#directory, DIRECTORY_MODE)
    const first = this.#path(containerId)
    const own = this.#path(`${containerId}:${ifName}`)
    const former = this.#files.read(own)
    if (former !== undefined) {
      this.#files.replace(own, text, FILE_MODE)
      return () => this.#files.replace(own, former, FILE_MODE)
    }
    if (this.#files.create(first, text, FILE_MODE)) {
      this.#setOwner(containerId, ifName)
      return () => this.#removeFirst(containerId)
    }
    const there = this.#read(containerId)
    if (there?.ifName === ifName) {
      this.#replaceFirst(containerId, ifName, text)
      return () => this.#replaceFirst(containerId, ifName, there.text)
    }
    this.#files.create(own, text, FILE_MODE)
    return () => void this.#files.remove(own)
  }

  remove({ path, containerId }: Scratch): void {
    if (path === this.#path(containerId)) this.#removeFirst(containerId)
    else this.#files.remove(path)
  }

  /** Forgets the owners of files that others have removed. */
  sweep(): void {
    const home = this.#home()
    if (home === undefined) return
    for (const containerId of this.#files.list(home) ?? []) {
      if (!this.#files.status(this.#path(containerId))) this.#files.remove(`${home}/${containerId}`)
    }
  }

  #replaceFirst(containerId: string, ifName: string, text: string): void {
    this.#files.replace(this.#path(containerId), text, FILE_MODE)
    this.#setOwner(containerId, ifName)
  }

  /** The owner goes first: who is killed in between leaves a file that DEL finds. */
  #removeFirst(containerId: string): void {
    const home = this.#home()
    if (home !== undefined) this.#files.remove(`${home}/${containerId}`)
    this.#files.remove(this.#path(containerId))
  }

  #read(name: string): Scratch | undefined {
    const path = this.#path(name)
    const text = this.#files.read(path)
    const [containerId = '', ifName = this.#ownerOf(containerId)] = name.split(':')
    return text === undefined ? undefined : { path, containerId, ifName, text }
  }

  /** Undefined also for what nobody wrote as a scratch file. */
  #readIfFile(name: string): Scratch | undefined {
    const isFile = this.#files.status(this.#path(name))?.kind === 'file'
    return isFile && isName(name.split(':')[0]!) ? this.#read(name) : undefined
  }

  #ownerOf(containerId: string): string | undefined {
    const home = this.#home()
    const identity = this.#identityOf(containerId)
    const text = home === undefined ? undefined : this.#files.read(`${home}/${containerId}`)
    return identity !== undefined && text?.startsWith(`${identity} `) ? text.slice(identity.length + 1) : undefined
  }

  #setOwner(containerId: string, ifName: string): void {
    const home = this.#home()
    try {
      this.#files.makeDirectory(home!, DIRECTORY_MODE)
      this.#files.write(`${home}/${containerId}`, `${this.#identityOf(containerId)} ${ifName}`, FILE_MODE)
    } catch (error) {
      if (!(error instanceof KernelError)) throw error // the file is nobody's then, as flannel's are
    }
  }

  /** Of the container's first file: another one has another, and so has the same one once somebody else has written it. */
  #identityOf(containerId: string): string | undefined {
    const status = this.#files.status(this.#path(containerId))
    return status && `${status.inode} ${status.modified}`
  }

  /** Where the owners stand; undefined when there is no directory that has any. */
  #home(): string | undefined {
    const status = this.#files.status(this.#directory)
    return status && homeOf(status)
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`
  }
}
