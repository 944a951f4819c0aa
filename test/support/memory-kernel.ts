/**
 * A stand-in for the kernel with what loopback and the steps around a plugin ask of it: links, their addresses, and
 * namespaces by path. It has no opinions; whatever else is asked of it fails.
 */
import { KernelError } from '../../src/kernel/errors.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Link, LinkChange, NewLink } from '../../src/kernel/link.ts'
import { plainLink } from './plain-link.ts'

export interface MemoryKernel extends Kernel {
  /** Puts an address on a link. */
  give(link: string, prefix: string): void
  take(link: string, prefix: string): void
}

/** A namespace with `lo`, down. `others` are the namespaces that can be entered, by path. */
export function memoryKernel(
  namespacePath = '/proc/self/ns/net',
  others: Readonly<Record<string, Kernel>> = {},
): MemoryKernel {
  const links = new Map<string, Link>([['lo', loopbackLink]])
  const addresses: { link: string; prefix: string }[] = []

  const requireLink = (name: string, call: string): Link => {
    const link = links.get(name)
    if (!link) throw new KernelError('ENODEV', `${call} "${name}"`)
    return link
  }

  const give = (link: string, prefix: string) => {
    if (!addresses.some((each) => each.link === link && each.prefix === prefix)) addresses.push({ link, prefix })
  }

  const part = {
    namespacePath,
    links: {
      get: (name: string) => links.get(name),
      list: () => [...links.values()],
      set(name: string, { up }: LinkChange) {
        const link = requireLink(name, 'set link')
        links.set(name, { ...link, ...(up !== undefined && { up }) })
        // The kernel's own doing: net/ipv4/devinet.c and net/ipv6/addrconf.c, when the loopback device comes up.
        if (link.kind === 'loopback' && up) for (const prefix of ['127.0.0.1/8', '::1/128']) give(name, prefix)
      },
      add({ name, kind }: NewLink) {
        if (links.has(name)) throw new KernelError('EEXIST', `add link "${name}"`)
        links.set(name, { ...loopbackLink, name, kind, index: links.size + 1 })
      },
      delete(name: string) {
        requireLink(name, 'delete link')
        links.delete(name)
      },
    },
    addresses: {
      list(link: string) {
        requireLink(link, 'list addresses of link')
        return addresses.filter((each) => each.link === link)
      },
    },
    enter(path: string) {
      if (path.startsWith('/etc/')) throw new KernelError('EINVAL', `enter namespace "${path}"`)
      return others[path]
    },
    sameNamespace: (other: Kernel) => other.namespacePath === namespacePath,
    close() {},
    give,
    take(link: string, prefix: string) {
      const at = addresses.findIndex((each) => each.link === link && each.prefix === prefix)
      if (at >= 0) addresses.splice(at, 1)
    },
  }
  return part as unknown as MemoryKernel
}

const loopbackLink: Link = {
  ...plainLink,
  index: 1,
  name: 'lo',
  kind: 'loopback',
  mac: '00:00:00:00:00:00',
  macOrigin: 'permanent',
  mtu: 65536,
  operState: 'unknown',
}
