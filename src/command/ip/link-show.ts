/** `ip link show` and `ip address show`: ipaddress.c of iproute2. */
import { familyOf } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { Address } from '../../kernel/address.ts'
import type { Link } from '../../kernel/link.ts'
import type { Arguments } from '../arguments.ts'
import { scopeName } from '../names.ts'
import type { Printer } from '../printer.ts'
import { DETAILED_KINDS, printDetails } from './link-details.ts'
import { ADDRESS_FLAGS, isListed, type LinkFilter, parseLinkFilter, passesAddress, passesLink } from './link-filter.ts'
import {
  type LinkOf,
  linksOf,
  operStateName,
  printAddressLine,
  printFirstLine,
  printFlags,
  printLinkNamespace,
  printName,
  shownAddress,
} from './link-line.ts'
import { printStatistics } from './link-statistics.ts'
import { notModelled, print, type Settings } from './settings.ts'

/** INFINITY_LIFE_TIME, as JSON has it. */
const FOREVER = 0xffff_ffff
const IFA_F_SECONDARY = 0x01
const IFA_F_DEPRECATED = 0x20
const IFA_F_PERMANENT = 0x80

export function showLinks(settings: Settings, args: Arguments): void {
  show(settings, parseLinkFilter(settings, args), 'link')
}

export function showAddresses(settings: Settings, args: Arguments): void {
  show(settings, parseLinkFilter(settings, args), 'address')
}

function show(settings: Settings, filter: LinkFilter, what: 'link' | 'address'): void {
  if (settings.statistics > 1) throw notModelled(settings, '-s -s')
  if (what === 'address' && filter.family === 'ipv6' && settings.details > 0)
    throw notModelled(settings, '-d -6 address')
  const { kernel } = settings
  const known = filter.device ? [filter.device] : kernel.links.list()
  const linkOf = linksOf(kernel, filter.device ? [] : known)
  const links = known.filter((link) => isListed(filter, link))
  const all = what === 'address' ? kernel.addresses.list(filter.device?.name) : []
  print(settings, (printer) => {
    printer.array(undefined, () => {
      for (const link of links) {
        const own = all.filter((address) => address.link === link.name)
        const addresses = own.filter((address) => passesAddress(filter, address))
        if (what === 'address' && !isAsked(filter, own, addresses)) continue
        printer.object(() => printLink(settings, printer, link, linkOf, filter, what, addresses))
      }
    })
  })
}

/** A link without any address stands in the list; one without a fitting address does not. */
function isAsked(filter: LinkFilter, own: readonly Address[], addresses: readonly Address[]): boolean {
  return addresses.length > 0 || (own.length === 0 && filter.family === undefined)
}

function printLink(
  settings: Settings,
  printer: Printer,
  link: Link,
  linkOf: LinkOf,
  filter: LinkFilter,
  what: 'link' | 'address',
  addresses: readonly Address[],
): void {
  const { brief, oneLine, statistics } = settings
  const passes = passesLink(filter, link)
  // Asked for a label, ip shows the addresses that have it and not their links.
  const hidesLink = what === 'address' && !brief && (oneLine || filter.label !== undefined)
  const printsLink = passes && !hidesLink
  if (printsLink && brief) printBrief(printer, link, linkOf, what)
  else if (printsLink) printWhole(settings, printer, link, linkOf, what, filter)
  if (what === 'link' || (!passes && !hidesLink)) return
  printer.array('addr_info', () => {
    for (const address of addresses) {
      printer.object(() => printAddress(settings, printer, link, address))
    }
  })
  if (brief) printer.text('\n')
  else if (statistics > 0 && printsLink) {
    printStatistics(printer, settings.kernel.links.statistics(link.name))
    printer.text('\n')
  }
}

function printBrief(printer: Printer, link: Link, linkOf: LinkOf, what: 'link' | 'address'): void {
  printName(printer, link, linkOf, (name) => `${name.padEnd(16)} `)
  printer.both('operstate', operStateName(link), `${operStateName(link).padEnd(14)} `)
  if (what === 'address') return
  if (link.mac !== '') printer.both('address', shownAddress(link))
  printFlags(printer, link, linkOf)
  printer.text('\n')
}

function printWhole(
  settings: Settings,
  printer: Printer,
  link: Link,
  linkOf: LinkOf,
  what: 'link' | 'address',
  { family, device }: LinkFilter,
): void {
  const details = settings.details > 0
  if (details && !DETAILED_KINDS.has(link.kind ?? '')) {
    throw notModelled(settings, `-d of "${link.name}", which is a ${link.kind ?? 'device of hardware'}`)
  }
  // Asked for a list of IPv6, the kernel answers with what IPv6 knows of its devices.
  const brief = what === 'address' && family === 'ipv6' && !device
  printFirstLine(printer, link, linkOf, { mode: what === 'link', brief })
  if (what === 'link' || family === undefined || details) printAddressLine(printer, link)
  printLinkNamespace(printer, link)
  if (details) printDetails(printer, link, { addressGeneration: what === 'link' })
  if ((what === 'link' || details) && link.alias !== undefined) {
    printer.newLine()
    printer.both('ifalias', link.alias, `    alias ${link.alias}`)
  }
  if (what === 'link' && settings.statistics > 0) {
    printer.newLine()
    printStatistics(printer, settings.kernel.links.statistics(link.name))
  }
  printer.text('\n')
}

function printAddress(settings: Settings, printer: Printer, link: Link, address: Address): void {
  const { address: local, length } = parsePrefix(address.prefix)
  const family = familyOf(local) === 'ipv4' ? 'inet' : 'inet6'
  const text = address.prefix.slice(0, address.prefix.indexOf('/'))
  if (!settings.brief) {
    if (settings.oneLine) {
      printer.both('index', link.index, `${link.index}: `)
      printer.both('dev', link.name, link.name)
    }
    printer.both('family', family, `    ${family} `)
  }
  printer.both('local', text, text)
  if (address.peer !== undefined) printer.both('address', address.peer, ` peer ${address.peer}`)
  printer.both('prefixlen', length, `/${length} `)
  if (settings.brief) return
  if (address.broadcast !== undefined) printer.both('broadcast', address.broadcast, `brd ${address.broadcast} `)
  printer.both('scope', scopeName(address.scope), `scope ${scopeName(address.scope)} `)
  printAddressFlags(printer, address.flags, family)
  if (family === 'inet' && address.label !== undefined) printer.both('label', address.label, address.label)
  printer.newLine()
  printer.text('       valid_lft ')
  printLifetime(printer, 'valid_life_time', address.validLifetime)
  printer.text(' preferred_lft ')
  const deprecated = (address.flags & IFA_F_DEPRECATED) !== 0
  printLifetime(printer, 'preferred_life_time', address.preferredLifetime, deprecated)
  printer.text('\n')
}

function printAddressFlags(printer: Printer, flags: number, family: 'inet' | 'inet6'): void {
  let rest = flags
  for (const [word, bit] of ADDRESS_FLAGS) {
    if (bit === IFA_F_PERMANENT) {
      if (!(rest & bit)) printer.word('dynamic')
    } else if (rest & bit) {
      // The same bit is the temporary address of IPv6: RFC 8981.
      printer.word(bit === IFA_F_SECONDARY && family === 'inet6' ? 'temporary' : word)
    }
    rest &= ~bit
  }
  if (rest)
    printer.both('ifa_flags', rest.toString(16).padStart(2, '0'), `flags ${rest.toString(16).padStart(2, '0')} `)
}

function printLifetime(printer: Printer, key: string, seconds: number, deprecated = false): void {
  if (seconds !== Number.POSITIVE_INFINITY) printer.both(key, seconds, `${seconds}sec`)
  else printer.both(key, FOREVER, deprecated ? '-1sec' : 'forever')
}
