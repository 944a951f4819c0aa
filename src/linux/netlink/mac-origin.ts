/**
 * Where a link's MAC came from. Netlink does not tell it, /sys/class/net/<link>/addr_assign_type does: Documentation/ABI/
 * testing/sysfs-class-net.
 *
 * A sysfs shows the network namespace in which it was mounted, which need not be the link's. So its word counts only when
 * it knows the link by the same name, index and MAC.
 */
import type { MacOrigin } from '../../kernel/link.ts'
import { files } from '../files.ts'

/** NET_ADDR_*, linux/netdevice.h, in the order of their numbers. */
const ORIGINS: readonly MacOrigin[] = ['permanent', 'random', 'stolen', 'set']

export function readMacOrigin(name: string, index: number, mac: string): MacOrigin | undefined {
  const read = (file: string) => files.read(`/sys/class/net/${name}/${file}`)?.trimEnd()
  if (read('address') !== mac || read('ifindex') !== `${index}`) return undefined
  return ORIGINS[Number(read('addr_assign_type'))]
}
