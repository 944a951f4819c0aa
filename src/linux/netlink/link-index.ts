/**
 * Links by name and by index: netdevice(7). The kernel's messages speak of indexes, the Kernel interface of names.
 *
 * Nothing is remembered between operations: a link may be deleted and another take its name at any time, by whomever. The
 * ioctl is one system call where asking over netlink would be two, and it works on every socket, in that socket's
 * namespace, also while a dump is being read from it.
 */
import { sys } from '#sys'
import { KernelError } from '../../kernel/errors.ts'
import { Ifreq, isLinkName } from '../ifreq.ts'

const SIOCGIFNAME = 0x8910
const SIOCGIFINDEX = 0x8933

/** Index of the link; undefined when there is none. Alternative names count too. */
export function getLinkIndex(descriptor: number, name: string): number | undefined {
  if (!isLinkName(name)) return undefined
  const request = new Ifreq()
  request.name = name
  return sys.ioctl(descriptor, SIOCGIFINDEX, request.bytes) < 0 ? undefined : request.index
}

/** Index of the link. KernelError ENODEV when there is none; `call` completes its "Cannot …". */
export function requireLinkIndex(descriptor: number, name: string, call: string): number {
  const index = getLinkIndex(descriptor, name)
  if (index === undefined) throw new KernelError('ENODEV', call, `there is no link "${name}"`)
  return index
}

/** Name of the link; undefined when there is none. */
export function getLinkName(descriptor: number, index: number): string | undefined {
  const request = new Ifreq()
  request.index = index
  return sys.ioctl(descriptor, SIOCGIFNAME, request.bytes) < 0 ? undefined : request.name
}

/** getLinkName, asking once for each index: for a list. A link that went meanwhile is called by its index, `if7`. */
export function linkNames(descriptor: number): (index: number) => string {
  const names = new Map<number, string>()
  return (index) => {
    let name = names.get(index)
    if (name === undefined) {
      name = getLinkName(descriptor, index) ?? `if${index}`
      names.set(index, name)
    }
    return name
  }
}
