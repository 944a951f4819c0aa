/**
 * Named namespaces, as `ip netns` keeps them, and how long a namespace lives: while it has a name or a handle holds it.
 */
import { KernelError } from '../../kernel/errors.ts'
import type { Namespaces } from '../../kernel/kernel.ts'
import type { Model } from '../model.ts'
import { closeNamespace, NetworkNamespace } from './network-namespace.ts'

export const NAMESPACE_DIRECTORY = '/run/netns'
/** In words of /proc: the namespace that a model begins with. */
export const OWN_PATH = '/proc/self/ns/net'

/** What is there and is no network namespace. */
const FOLDERS = ['/', '/run', NAMESPACE_DIRECTORY, '/proc', '/proc/self', '/proc/self/ns']

export class ModelNamespaces implements Namespaces {
  readonly #model: Model
  /** Handles on each namespace, and its name. */
  readonly #holds = new Map<NetworkNamespace, number>()
  #made = 0

  constructor(model: Model) {
    this.#model = model
  }

  add(name: string): string {
    const path = pathOf(name)
    if (this.#model.namespaces.has(path)) throw new KernelError('EEXIST', `add network namespace "${name}"`)
    this.hold(this.create(path))
    return path
  }

  /** A namespace at this path, which nothing holds yet. */
  create(path: string): NetworkNamespace {
    const namespace = new NetworkNamespace(this.#model, path, ++this.#made)
    this.#model.namespaces.set(path, namespace)
    return namespace
  }

  delete(name: string): void {
    const path = pathOf(name)
    const namespace = this.#model.namespaces.get(path)
    if (!namespace) throw new KernelError('ENOENT', `delete network namespace "${name}"`)
    this.#model.namespaces.delete(path)
    this.release(namespace as NetworkNamespace)
  }

  list(): string[] {
    return [...this.#model.namespaces.keys()]
      .filter((path) => path.startsWith(`${NAMESPACE_DIRECTORY}/`))
      .map((path) => path.slice(NAMESPACE_DIRECTORY.length + 1))
      .sort()
  }

  /** The namespace at the path; undefined when nothing is there. KernelError EINVAL when that is no network namespace. */
  open(path: string): NetworkNamespace | undefined {
    const real = realPath(path)
    const namespace = this.#model.namespaces.get(real)
    if (namespace) return namespace as NetworkNamespace
    if (!FOLDERS.includes(real)) return undefined
    throw new KernelError('EINVAL', `open network namespace "${path}"`, 'it is no network namespace')
  }

  hold(namespace: NetworkNamespace): void {
    this.#holds.set(namespace, (this.#holds.get(namespace) ?? 0) + 1)
  }

  release(namespace: NetworkNamespace): void {
    const holds = (this.#holds.get(namespace) ?? 0) - 1
    this.#holds.set(namespace, holds)
    // A name or another handle holds it, or it is the process's own.
    if (holds > 0 || this.#model.namespaces.has(namespace.path)) return
    this.#holds.delete(namespace)
    closeNamespace(namespace)
    this.#model.settle()
  }
}

/** /var/run is a link to /run, /proc/thread-self and /proc/1 are the process's own. */
function realPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return `/${parts.join('/')}`
    .replace(/^\/var\/run(?=\/|$)/, '/run')
    .replace(/^\/proc\/(?:thread-self|1)(?=\/|$)/, '/proc/self')
}

/** Such a name is one file in /run/netns and nothing else. */
function pathOf(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.length > 255) {
    throw new RangeError(`Cannot use "${name}" as the name of a network namespace: it is no file name`)
  }
  return `${NAMESPACE_DIRECTORY}/${name}`
}
