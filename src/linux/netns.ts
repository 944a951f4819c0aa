/**
 * Network namespaces: network_namespaces(7), setns(2), `ip netns`.
 *
 * A thread is in one namespace, and its sockets stay in the one where they were opened. So a namespace is entered for the
 * moment of opening and left again; what is opened works from outside ever after:
 *
 *   setns(theirs) → socket() or open() or mount() → setns(ours)
 *
 * Nothing else may happen in between. Node keeps a pool of threads for everything asynchronous; a thread that starts
 * inside stays there for ever and keeps the namespace alive.
 */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import type { Namespaces } from '../kernel/kernel.ts'
import { EINVAL, ENOENT, ENOTDIR, succeed } from './errno.ts'
import { LOCK_EX, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY } from './fcntl.ts'
import { closing, type FileStatus, files } from './files.ts'

const CLONE_NEWNET = 0x40000000
/** Answers the CLONE_NEW… of a namespace's file, ioctl_nsfs(2). */
const NS_GET_NSTYPE = 0xb703

const MS_BIND = 4096
const MS_REC = 16384
const MS_SHARED = 1 << 20
const MNT_DETACH = 2

/** In words of /proc; `thread-self`, since a worker thread may be somewhere else than the process. */
const OWN = '/proc/thread-self/ns/net'
const DIRECTORY = '/run/netns'

/** A network namespace that sockets and files can be opened in. */
export class Namespace {
  readonly path: string
  /** Undefined for the caller's own until somebody wants it. */
  #descriptor: number | undefined
  readonly #own: boolean
  /** Where `inside` goes back to. */
  #home: number | undefined

  /** The caller's own namespace, or the one that the descriptor is of. */
  constructor(path: string, descriptor?: number) {
    this.path = path
    this.#descriptor = descriptor
    this.#own = descriptor === undefined
  }

  /** The namespace at the path; undefined when nothing is there. KernelError EINVAL when that is no network namespace. */
  static open(path: string): Namespace | undefined {
    const call = `open network namespace "${path}"`
    const descriptor = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    if (descriptor === -ENOENT || descriptor === -ENOTDIR) return undefined
    succeed(descriptor, call)
    if (sys.ioctl(descriptor, NS_GET_NSTYPE, 0) !== CLONE_NEWNET) {
      sys.close(descriptor)
      throw new KernelError('EINVAL', call, 'it is no network namespace')
    }
    return new Namespace(path, descriptor)
  }

  /** Makes the call in the namespace. It may open a socket or a file, or mount something, and nothing else. */
  inside<T>(call: () => T): T {
    if (this.#own) return call()
    this.#home ??= openOwn()
    succeed(sys.setns(this.#descriptor!, CLONE_NEWNET), `enter network namespace "${this.path}"`)
    try {
      return call()
    } finally {
      goHome(this.#home)
    }
  }

  get descriptor(): number {
    this.#descriptor ??= openOwn()
    return this.#descriptor
  }

  /** Its file: two handles are of one namespace when device and inode are the same. */
  get file(): FileStatus {
    const file = files.status(this.#own ? OWN : `/proc/self/fd/${this.#descriptor}`)
    if (!file) throw new KernelError('ENOENT', `look at network namespace "${this.path}"`, 'is /proc mounted?')
    return file
  }

  close(): void {
    if (this.#descriptor !== undefined) sys.close(this.#descriptor)
    if (this.#home !== undefined) sys.close(this.#home)
    this.#home = undefined
    this.#descriptor = this.#own ? undefined : -1 // closed is closed: a number may be somebody else's by now
  }
}

/** Named namespaces, kept as `ip netns` keeps them, so that each sees the other's. */
export const namespaces: Namespaces = {
  add(name) {
    const path = namespacePathOf(name)
    const call = `add network namespace "${name}"`
    prepareDirectory(call)
    const file = sys.open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)
    succeed(file, call)
    sys.close(file)
    const home = openOwn()
    try {
      succeed(sys.unshare(CLONE_NEWNET), call)
      let mounted: number
      try {
        mounted = sys.mount(OWN, path, 'none', MS_BIND, '')
      } finally {
        goHome(home)
      }
      succeed(mounted, call)
    } catch (error) {
      sys.unlink(path)
      throw error
    } finally {
      sys.close(home)
    }
    return path
  },

  delete(name) {
    const path = namespacePathOf(name)
    // EINVAL: nothing is mounted there, as when the machine died between open and mount. The file goes all the same.
    const unmounted = sys.umount2(path, MNT_DETACH)
    if (unmounted !== -EINVAL) succeed(unmounted, `delete network namespace "${name}"`)
    succeed(sys.unlink(path), `delete network namespace "${name}"`)
  },

  list: () => files.list(DIRECTORY) ?? [],
}

/**
 * Makes /run/netns a mount of its own that propagates: a namespace that is added or deleted here is so in every mount
 * namespace. The lock keeps two of us from mounting it over one another.
 */
function prepareDirectory(call: string): void {
  files.makeDirectory(DIRECTORY, 0o755)
  closing(succeed(sys.open(DIRECTORY, O_RDONLY | O_CLOEXEC, 0), call), (directory) => {
    succeed(sys.flock(directory, LOCK_EX), call)
    const shared = sys.mount('', DIRECTORY, 'none', MS_SHARED | MS_REC, '')
    if (shared !== -EINVAL) {
      succeed(shared, call)
      return
    }
    succeed(sys.mount(DIRECTORY, DIRECTORY, 'none', MS_BIND | MS_REC, ''), call)
    succeed(sys.mount('', DIRECTORY, 'none', MS_SHARED | MS_REC, ''), call)
  })
}

/** Such a name is one file in /run/netns and nothing else. */
export function namespacePathOf(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.length > 255) {
    throw new RangeError(`Cannot use "${name}" as the name of a network namespace: it is no file name`)
  }
  return `${DIRECTORY}/${name}`
}

function openOwn(): number {
  return succeed(sys.open(OWN, O_RDONLY | O_CLOEXEC, 0), 'open our own network namespace')
}

function goHome(home: number): void {
  // There is no going on in somebody else's namespace: whatever came next would happen to the wrong links.
  if (sys.setns(home, CLONE_NEWNET) < 0) sys.exit(1)
}
