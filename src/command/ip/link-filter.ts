/** Which links `ip link show` and `ip address show` are asked for, and with which addresses. */

import { type Family, familyOf } from '../../address/ip.ts'
import { networkOf, parsePrefix } from '../../address/prefix.ts'
import type { Address } from '../../kernel/address.ts'
import type { Link } from '../../kernel/link.ts'
import { type Arguments, garbage, parseTypedPrefix, type TypedPrefix, wrong } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { readGroup, readScope, scopeName } from '../names.ts'
import { notModelled, type Settings } from './settings.ts'

/** IFA_F_*, linux/if_addr.h, by the words that ip has for them. */
export const ADDRESS_FLAGS: readonly (readonly [word: string, bit: number])[] = [
  ['secondary', 0x01],
  ['temporary', 0x01],
  ['nodad', 0x02],
  ['optimistic', 0x04],
  ['dadfailed', 0x08],
  ['home', 0x10],
  ['deprecated', 0x20],
  ['tentative', 0x40],
  ['permanent', 0x80],
  ['mngtmpaddr', 0x100],
  ['noprefixroute', 0x200],
  ['autojoin', 0x400],
  ['stable-privacy', 0x800],
]
const IFA_F_SECONDARY = 0x01
const IFA_F_PERMANENT = 0x80

export interface LinkFilter {
  /** Of the addresses; undefined is both. */
  family?: Family
  device?: Link
  up?: boolean
  /** Index; `none` for links that have no master. */
  master?: number | 'none'
  group?: number
  type?: string
  to?: TypedPrefix
  /** As scopeName has it. */
  scope?: string
  label?: string
  /** Bits of an address that count, and what they must be. */
  flagsMask: number
  flags: number
}

export function parseLinkFilter(settings: Settings, args: Arguments): LinkFilter {
  const { kernel } = settings
  const filter: LinkFilter = { flagsMask: 0, flags: 0, ...(settings.family && { family: settings.family }) }
  let device: string | undefined
  while (args.more) {
    if (args.takes('to')) {
      filter.to = parseTypedPrefix(args.take(), filter.family)
      if (filter.to.family) filter.family = filter.to.family
    } else if (args.takes('scope')) {
      const text = args.take()
      const scope = readScope(text)
      if (scope === undefined && text !== 'all') throw wrong(text, 'invalid "scope"\n')
      if (scope !== undefined) filter.scope = scopeName(scope)
    } else if (args.takes('up')) filter.up = true
    else if (args.takes('label')) filter.label = args.take()
    else if (args.takes('group')) {
      const text = args.take()
      const group = readGroup(text)
      if (group === undefined) throw wrong(text, 'Invalid "group" value\n')
      filter.group = group
    } else if (args.takes('master')) {
      const text = args.take()
      const master = kernel.links.get(text)
      if (!master) throw wrong(text, 'Device does not exist\n')
      filter.master = master.index
    } else if (args.takes('nomaster')) filter.master = 'none'
    else if (args.takes('type')) filter.type = args.take()
    else if (args.takes('vrf')) throw notModelled(settings, 'vrf')
    else if (!takeFlag(args, filter)) {
      if (!args.takes('dev') && args.takesBegun('help')) throw notModelled(settings, 'help')
      if (device !== undefined) throw garbage('dev', args.next)
      device = args.take()
    }
  }
  if (device !== undefined) {
    const link = kernel.links.get(device)
    if (!link) throw new Exit(1, `Device "${device}" does not exist.`)
    filter.device = link
  }
  return filter
}

function takeFlag(args: Arguments, filter: LinkFilter): boolean {
  const without = args.next.startsWith('-')
  const word = without ? args.next.slice(1) : args.next
  let bits = ADDRESS_FLAGS.find(([name]) => name === word)?.[1]
  let set = !without
  if (word === 'dynamic' || word === 'primary') {
    bits = word === 'dynamic' ? IFA_F_PERMANENT : IFA_F_SECONDARY
    set = without
  }
  if (bits === undefined) return false
  args.take()
  filter.flagsMask |= bits
  if (set) filter.flags |= bits
  else filter.flags &= ~bits
  return true
}

export function passesLink(filter: LinkFilter, link: Link): boolean {
  const { up, group, label } = filter
  if (label !== undefined && !filter.family && !matchesPattern(label, link.name)) return false
  if (up && !link.up) return false
  if (filter.master === 'none' && link.master !== undefined) return false
  if (group !== undefined && link.group !== group) return false
  if (!filter.type?.endsWith('_slave')) return true
  return filter.type === 'bridge_slave' && link.port !== undefined
}

/** What the kernel itself narrows the list by. A link that fails at the rest stands in JSON as an empty object. */
export function isListed({ device, master, type }: LinkFilter, link: Link): boolean {
  if (device && link.index !== device.index) return false
  if (typeof master === 'number' && link.master !== master) return false
  return type === undefined || type.endsWith('_slave') || link.kind === type
}

export function passesAddress(filter: LinkFilter, address: Address): boolean {
  const { address: local } = parsePrefix(address.prefix)
  if (filter.family && familyOf(local) !== filter.family) return false
  if (filter.scope !== undefined && scopeName(address.scope) !== filter.scope) return false
  if ((address.flags & filter.flagsMask) !== filter.flags) return false
  if (filter.label !== undefined && !matchesPattern(filter.label, address.label ?? address.link)) return false
  const { to } = filter
  if (!to || to.address === '') return true
  const wanted = parsePrefix(`${to.address}/${to.length}`)
  if (familyOf(local) !== familyOf(wanted.address)) return false
  // ip compares the first bits, however long the address's own prefix is.
  return sameNetwork(local, wanted.address, wanted.length)
}

export function sameNetwork(a: Uint8Array, b: Uint8Array, length: number): boolean {
  const network = (address: Uint8Array) => networkOf({ address, length }).address
  const [left, right] = [network(a), network(b)]
  return left.every((byte, i) => byte === right[i])
}

/** fnmatch(3) with `*` and `?`. */
function matchesPattern(pattern: string, text: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${expression}$`).test(text)
}
