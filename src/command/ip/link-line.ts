/** A link as `ip link`, `ip address` and `bridge link` print it: name, flags, first lines. */
import { formatIp } from '../../address/ip.ts'
import { parseMac } from '../../address/mac.ts'
import type { Link } from '../../kernel/link.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import { groupName } from '../names.ts'
import type { Printer } from '../printer.ts'

const IFF_UP = 0x1
const IFF_POINTOPOINT = 0x10
const IFF_RUNNING = 0x40
/** IFF_*, linux/if.h, in the order in which ip names them. */
const FLAGS: readonly (readonly [number, string])[] = [
  [0x8, 'LOOPBACK'],
  [0x2, 'BROADCAST'],
  [IFF_POINTOPOINT, 'POINTOPOINT'],
  [0x1000, 'MULTICAST'],
  [0x80, 'NOARP'],
  [0x200, 'ALLMULTI'],
  [0x100, 'PROMISC'],
  [0x400, 'MASTER'],
  [0x800, 'SLAVE'],
  [0x4, 'DEBUG'],
  [0x8000, 'DYNAMIC'],
  [0x4000, 'AUTOMEDIA'],
  [0x2000, 'PORTSEL'],
  [0x20, 'NOTRAILERS'],
  [IFF_UP, 'UP'],
  [0x10000, 'LOWER_UP'],
  [0x20000, 'DORMANT'],
  [0x40000, 'ECHO'],
]
/** ARPHRD_* of the kinds that are no Ethernet. */
const TYPES: Readonly<Record<string, string>> = { loopback: 'loopback', ipip: 'ipip', sit: 'sit', gre: 'gre' }

/** Links that others are told by: a master, a veth's peer. */
export type LinkOf = (index: number) => Link | undefined

/** Looks each up once. */
export function linksOf(kernel: LiveKernel, known: readonly Link[] = []): LinkOf {
  const links = new Map<number, Link | undefined>(known.map((link) => [link.index, link]))
  return (index) => {
    if (!links.has(index)) links.set(index, kernel.links.getByIndex(index))
    return links.get(index)
  }
}

export const nameOf = (linkOf: LinkOf, index: number): string => linkOf(index)?.name ?? `if${index}`

/** `veth1@if2`; `format` puts it into its column. */
export function printName(printer: Printer, link: Link, linkOf: LinkOf, format: (name: string) => string): void {
  let lower = ''
  if (link.parent === undefined && link.kind === 'ipip') {
    // IFLA_LINK is 0: it sends by whatever device its route names.
    printer.member('link', null)
    lower = '@NONE'
  } else if (link.parent !== undefined) {
    if (link.parentNamespaceId !== undefined) {
      printer.member('link_index', link.parent)
      lower = `@if${link.parent}`
    } else {
      printer.member('link', nameOf(linkOf, link.parent))
      lower = `@${nameOf(linkOf, link.parent)}`
    }
  }
  printer.member('ifname', link.name)
  printer.text(format(link.name + lower))
}

export function printFlags(printer: Printer, link: Link, linkOf: LinkOf): void {
  const lower = link.parent === undefined || link.parentNamespaceId !== undefined ? undefined : linkOf(link.parent)
  const words = link.flags & IFF_UP && !(link.flags & IFF_RUNNING) ? ['NO-CARRIER'] : []
  let rest = link.flags & ~IFF_RUNNING
  for (const [bit, word] of FLAGS) {
    if (rest & bit) words.push(word)
    rest &= ~bit
  }
  if (rest) words.push(rest.toString(16))
  if (lower && !lower.up) words.push('M-DOWN')
  printer.strings('flags', words)
  printer.text(`<${words.join(',')}> `)
}

export const operStateName = (link: Link): string => link.operState.toUpperCase()

/** `mode` is printed by `ip link` only. */
export function printFirstLine(
  printer: Printer,
  link: Link,
  linkOf: LinkOf,
  { mode, brief }: { readonly mode: boolean; readonly brief: boolean },
): void {
  printer.both('ifindex', link.index, `${link.index}: `)
  printName(printer, link, linkOf, (name) => `${name}: `)
  printFlags(printer, link, linkOf)
  printer.both('mtu', link.mtu, `mtu ${link.mtu} `)
  if (link.qdisc && !brief) printer.both('qdisc', link.qdisc, `qdisc ${link.qdisc} `)
  if (link.master !== undefined && !brief) {
    const master = nameOf(linkOf, link.master)
    printer.both('master', master, `master ${master} `)
  }
  printer.both('operstate', operStateName(link), `state ${operStateName(link)} `)
  if (mode) printer.both('linkmode', 'DEFAULT', 'mode DEFAULT ')
  if (!brief) printer.both('group', groupName(link.group), `group ${groupName(link.group)} `)
  if (link.txQueueLength > 0) printer.both('txqlen', link.txQueueLength, `qlen ${link.txQueueLength}`)
}

export function printAddressLine(printer: Printer, link: Link): void {
  const type = TYPES[link.kind ?? ''] ?? (link.mac === '' ? 'none' : 'ether')
  printer.newLine()
  printer.both('link_type', type, `    link/${type} `)
  if (link.mac === '') return
  printer.both('address', shownAddress(link), shownAddress(link))
  if (isTunnel(link) && !link.ipip) return
  const broadcast = link.ipip
    ? (link.ipip.remote ?? '0.0.0.0')
    : type === 'loopback'
      ? '00:00:00:00:00:00'
      : 'ff:ff:ff:ff:ff:ff'
  if (link.flags & IFF_POINTOPOINT) printer.member('link_pointtopoint', true)
  printer.both('broadcast', broadcast, `${link.flags & IFF_POINTOPOINT ? ' peer ' : ' brd '}${broadcast}`)
}

const isTunnel = ({ mac }: Link) => mac.length === '00:00:00:00'.length

/** A tunnel's own address is four bytes, shown as IPv4 shows them. */
export function shownAddress(link: Link): string {
  return isTunnel(link) ? formatIp(parseMac(`${link.mac}:00:00`).subarray(0, 4)) : link.mac
}

/** Where a veth's peer is, when it is not here. */
export function printLinkNamespace(printer: Printer, link: Link): void {
  const id = link.parentNamespaceId
  if (id === undefined) return
  printer.member('link_netnsid', id)
  if (printer.json) return
  const name = id < 0 ? 'unknown' : link.parentNamespace
  printer.text(name === undefined || id < 0 ? ` link-netnsid ${name ?? id}` : ` link-netns ${name}`)
}
