/** `ip address add`, `change`, `replace`, `delete`, `flush`: ipaddress.c of iproute2. */

import { formatIp } from '../../address/ip.ts'
import { lastOf, parsePrefix } from '../../address/prefix.ts'
import type { Address, NewAddress, Scope } from '../../kernel/address.ts'
import { ignoring } from '../../kernel/errors.ts'
import {
  type Arguments,
  abbreviates,
  duplicate,
  garbage,
  parseAddress,
  parseTypedPrefix,
  readUnsigned,
  type TypedPrefix,
  wrong,
} from '../arguments.ts'
import { Exit } from '../exit.ts'
import { readScope } from '../names.ts'
import { isListed, parseLinkFilter, passesAddress, passesLink } from './link-filter.ts'
import { notModelled, requireDevice, type Settings } from './settings.ts'

const FOREVER = 0xffff_ffff

export function changeAddress(settings: Settings, args: Arguments): void {
  const command = args.take()
  if (abbreviates(command, 'add')) addAddress(settings, readAddressWords(settings, args), 'add')
  else if (abbreviates(command, 'change', 'chg', 'replace')) {
    addAddress(settings, readAddressWords(settings, args), 'replace')
  } else if (abbreviates(command, 'delete')) deleteAddress(settings, readAddressWords(settings, args))
  else if (abbreviates(command, 'flush')) flushAddresses(settings, args)
  else if (['showdump', 'save', 'restore', 'help'].some((name) => abbreviates(command, name))) {
    throw notModelled(settings, `address ${command}`)
  } else throw new Exit(255, `Command "${command}" is unknown, try "ip address help".`)
}

interface AddressWords {
  local?: TypedPrefix
  device?: string
  peer?: TypedPrefix
  /** `+` and `-`: the network's last address and its first. */
  broadcast?: string
  label?: string
  scope?: Scope
  validLifetime?: number
  preferredLifetime?: number
  noDad?: boolean
  noPrefixRoute?: boolean
}

function readAddressWords(settings: Settings, args: Arguments): AddressWords {
  const words: AddressWords = {}
  let { family } = settings
  while (args.more) {
    if (args.takes('peer', 'remote')) {
      if (words.peer) throw duplicate('peer', args.next)
      words.peer = parseTypedPrefix(args.take(), family)
      family ??= words.peer.family
    } else if (args.next === 'broadcast' || (args.next !== '' && 'brd'.startsWith(args.next))) {
      args.take()
      if (words.broadcast !== undefined) throw duplicate('broadcast', args.next)
      const text = args.take()
      words.broadcast = text === '+' || text === '-' ? text : parseAddress(text, family).address
    } else if (args.takes('scope')) {
      const text = args.take()
      const scope = readScope(text)
      if (scope === undefined) throw wrong(text, 'invalid scope value.')
      words.scope = scope
    } else if (args.takes('dev')) words.device = args.take()
    else if (args.takes('label')) words.label = args.take()
    else if (args.takesBegun('valid_lft')) words.validLifetime = readLifetime(args, 'valid_lft value')
    else if (args.takesBegun('preferred_lft')) {
      words.preferredLifetime = readLifetime(args, 'preferred_lft value')
    } else if (args.takes('nodad')) words.noDad = true
    else if (args.takes('noprefixroute')) words.noPrefixRoute = true
    else if (args.takesBegun('anycast', 'metric', 'priority', 'preference', 'help')) {
      throw notModelled(settings, 'address with anycast, metric or help')
    } else if (args.takes('home', 'mngtmpaddr', 'autojoin', 'optimistic', 'proto')) {
      throw notModelled(settings, 'address flag of this kind')
    } else {
      args.takes('local')
      if (words.local) throw garbage('local', args.next)
      words.local = parseTypedPrefix(args.take(), family)
      family ??= words.local.family
    }
  }
  if (words.device === undefined) throw new Exit(1, 'Not enough information: "dev" argument is required.')
  return words
}

function readLifetime(args: Arguments, message: string): number {
  const text = args.take()
  const seconds = text === 'forever' ? FOREVER : readUnsigned(text)
  if (seconds === undefined) throw wrong(text, message)
  return seconds === FOREVER ? Number.POSITIVE_INFINITY : seconds
}

function addAddress(settings: Settings, words: AddressWords, operation: 'add' | 'replace'): void {
  const link = requireDevice(settings, words.device!)
  const prefix = prefixOf(words)
  const { validLifetime, preferredLifetime } = words
  if (preferredLifetime !== undefined && preferredLifetime > (validLifetime ?? Number.POSITIVE_INFINITY)) {
    throw new Exit(1, 'preferred_lft is greater than valid_lft')
  }
  const flags = { ...(words.noDad && { noDad: true }), ...(words.noPrefixRoute && { noPrefixRoute: true }) }
  const lifetimes = {
    ...(validLifetime !== undefined && { validLifetime }),
    ...(preferredLifetime !== undefined && { preferredLifetime }),
  }
  const there = operation === 'replace' ? find(settings, link.name, prefix) : undefined
  const address: NewAddress = {
    link: link.name,
    prefix,
    ...flags,
    ...lifetimes,
    ...(there && words.local!.family === 'ipv4' ? looksOf(there) : looks(words, prefix)),
  }
  settings.kernel.addresses[operation](address)
}

/** What is typed of it besides. */
function looks(words: AddressWords, prefix: string): Partial<NewAddress> {
  const peer =
    words.peer && words.peer.address !== prefix.slice(0, prefix.indexOf('/')) ? words.peer.address : undefined
  return {
    broadcast: broadcastOf(words, prefix),
    ...(words.label !== undefined && { label: words.label }),
    ...(words.scope !== undefined && { scope: words.scope }),
    ...(peer !== undefined && { peer }),
  }
}

/** Replacing an IPv4 address changes its lifetimes and nothing else of it. */
function looksOf(there: Address): Partial<NewAddress> {
  return {
    broadcast: there.broadcast ?? null,
    scope: there.scope,
    ...(there.label !== undefined && { label: there.label }),
    ...(there.peer !== undefined && { peer: there.peer }),
  }
}

function find({ kernel }: Settings, link: string, prefix: string): Address | undefined {
  return kernel.addresses.list(link).find((address) => address.prefix === prefix)
}

function prefixOf({ local, peer }: AddressWords): string {
  if (!local || local.address === '') throw new Exit(2, 'RTNETLINK answers: Operation not supported')
  // With a peer the length is the peer's.
  return `${local.address}/${peer ? peer.length : local.length}`
}

function broadcastOf({ broadcast }: AddressWords, prefix: string): string | null {
  if (broadcast === undefined) return null
  if (broadcast !== '+' && broadcast !== '-') return broadcast
  const parsed = parsePrefix(prefix)
  if (parsed.address.length !== 4) throw new Exit(255, 'Broadcast can be set only for IPv4 addresses')
  if (parsed.length > 30) return null
  const last = lastOf(parsed)
  if (broadcast === '+') return formatIp(last)
  return formatIp(last.map((byte, i) => byte & (0xff << Math.min(8, Math.max(0, 8 * (i + 1) - parsed.length)))))
}

function deleteAddress(settings: Settings, words: AddressWords): void {
  const { kernel, streams } = settings
  const link = requireDevice(settings, words.device!)
  const prefix = prefixOf(words)
  const { local, peer, label } = words
  const wildcard = !local!.hasLength && !peer
  if (wildcard && local!.family === 'ipv4') streams.stderr += WILDCARD.replace('%s', prefix)
  const there = kernel.addresses
    .list(link.name)
    .find(
      (address) =>
        (wildcard ? address.prefix.startsWith(`${local!.address}/`) : address.prefix === prefix) &&
        (label === undefined || address.label === label) &&
        (!peer || peer.address === (address.peer ?? local!.address)),
    )
  if (!there && label !== undefined) throw new Exit(2, 'Error: ipv4: Address not found.')
  kernel.addresses.delete({ link: link.name, prefix: there?.prefix ?? prefix })
}

const WILDCARD = `Warning: Executing wildcard deletion to stay compatible with old scripts.
         Explicitly specify the prefix length (%s) to avoid this warning.
         This special behaviour is likely to disappear in further releases,
         fix your scripts!
`

function flushAddresses(settings: Settings, args: Arguments): void {
  if (!args.more) throw new Exit(1, 'Flush requires arguments.')
  if (settings.statistics > 0) throw notModelled(settings, '-s address flush')
  const { kernel } = settings
  const filter = parseLinkFilter(settings, args)
  const links = new Map(kernel.links.list().map((link) => [link.name, link]))
  for (const address of kernel.addresses.list(filter.device?.name)) {
    if (
      !passesLink(filter, links.get(address.link)!) ||
      !isListed(filter, links.get(address.link)!) ||
      !passesAddress(filter, address)
    )
      continue
    // A primary address takes those that are second to it along.
    ignoring('EADDRNOTAVAIL', () => kernel.addresses.delete(address))
  }
}
