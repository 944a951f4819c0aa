/**
 * Settings below /proc/sys: sysctl(2), networking/ip-sysctl.rst.
 *
 * Those of `net/` belong to the network namespace of whoever opens the file; what is then read and written stays there.
 */
import { sys } from '#sys'
import type { Sysctl } from '../kernel/kernel.ts'
import { ENOENT, succeed } from './errno.ts'
import { O_CLOEXEC, O_RDONLY, O_WRONLY } from './fcntl.ts'
import { closing, readAll, readEntries, writeAll } from './files.ts'
import type { Namespace } from './netns.ts'

const ROOT = '/proc/sys'

export class LinuxSysctl implements Sysctl {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  get(key: string): string | undefined {
    const call = `read sysctl "${key}"`
    const file = this.#open(pathOf(key), O_RDONLY)
    if (file === -ENOENT) return undefined
    const text = closing(succeed(file, call), () => sys.decode(readAll(file, 'file', call)))
    return text.endsWith('\n') ? text.slice(0, -1) : text
  }

  list(directory = ''): string[] {
    const call = `list sysctls below "${directory}"`
    const folder = this.#open(directory === '' ? ROOT : pathOf(directory), O_RDONLY)
    if (folder === -ENOENT) return []
    const entries = closing(succeed(folder, call), (file) => readEntries(file, call))
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    return entries.flatMap(({ name, isDirectory }) => {
      const key = directory === '' ? name : `${directory}/${name}`
      return isDirectory ? this.list(key) : [key]
    })
  }

  set(key: string, value: string): void {
    const call = `set sysctl "${key}" to "${value}"`
    // One write: the kernel takes what each write brings for the whole value.
    closing(succeed(this.#open(pathOf(key), O_WRONLY), call), (file) => writeAll(file, sys.encode(value), call))
  }

  #open(path: string, flags: number): number {
    const open = () => sys.open(path, flags | O_CLOEXEC, 0)
    return path === `${ROOT}/net` || path.startsWith(`${ROOT}/net/`) ? this.#namespace.inside(open) : open()
  }
}

/** Keys come from configurations: none may lead out of /proc/sys. */
function pathOf(key: string): string {
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new RangeError(`Cannot use "${key}" as a sysctl: it is no path below /proc/sys`)
  }
  return `${ROOT}/${key}`
}
