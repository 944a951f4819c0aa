/** What is typed and printed of kind ipip: link_iptnl.c of iproute2. */
import type { IpipOptions, Link } from '../../kernel/link.ts'
import { type Arguments, parseAddress, readUnsigned, wrong } from '../arguments.ts'
import { Exit } from '../exit.ts'
import type { Printer } from '../printer.ts'
import { notModelled, type Settings } from './settings.ts'

/** IPTOS_*: 1 means the inner packet's. */
const INHERIT_TOS = 1
const NOT_MODELLED =
  `6rd-prefix 6rd-relay_prefix 6rd-reset fwmark external encap encap-sport encap-dport encap-csum noencap-csum
  encap-udp6-csum noencap-udp6-csum encap-remcsum noencap-remcsum`.split(/\s+/)

type Typed = { -readonly [K in keyof IpipOptions]?: IpipOptions[K] }

export function parseIpip(settings: Settings, args: Arguments): Partial<IpipOptions> {
  const ipip: Typed = {}
  while (args.more) takeOption(settings, args, ipip)
  if (ipip.ttl && ipip.pathMtuDiscovery === false) {
    throw new Exit(255, 'ttl != 0 and nopmtudisc are incompatible')
  }
  return ipip
}

function takeOption(settings: Settings, args: Arguments, ipip: Typed): void {
  const word = args.take()
  if (word === 'remote' || word === 'local') {
    const address = args.takes('any') ? undefined : parseAddress(args.take(), 'ipv4').address
    if (address !== undefined) ipip[word] = address
  } else if (word === 'dev') {
    ipip.device = args.take()
    if (!settings.kernel.links.get(ipip.device)) throw new Exit(255, `Cannot find device "${ipip.device}"`)
  } else if (word === 'ttl' || word === 'hoplimit' || word === 'hlim') {
    ipip.ttl = args.takes('inherit') ? 0 : number(args, 'invalid TTL\n')
  } else if (word === 'tos' || word === 'tclass' || word === 'tc' || word === 'dsfield') {
    ipip.tos = args.takes('inherit') ? INHERIT_TOS : field(args)
  } else if (word === 'pmtudisc' || word === 'nopmtudisc') {
    ipip.pathMtuDiscovery = word === 'pmtudisc'
  } else if (word === 'mode') {
    const mode = args.take()
    if (mode === 'mplsip' || mode === 'mplsipip') throw notModelled(settings, `ipip with "mode ${mode}"`)
    // Of IPv4 and MPLS, devices here carry the one.
    if (mode !== 'any' && mode !== 'anyip' && mode !== 'ipip' && mode !== 'ip4ip4' && mode !== 'ipv4/ipv4')
      throw wrong(mode, 'Cannot guess tunnel mode.')
  } else if (NOT_MODELLED.includes(word)) {
    throw notModelled(settings, `ipip with "${word}"`)
  } else if (word !== 'noencap') throw new Exit(1, USAGE)
}

function number(args: Arguments, message: string): number {
  const text = args.take()
  const value = readUnsigned(text, 0xff)
  if (value === undefined) throw wrong(text, message)
  return value
}

/** rtnl_dsfield_a2n: a number without a prefix is hexadecimal. */
function field(args: Arguments): number {
  const text = args.take()
  const value = /^(?:0x)?[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN
  if (!(value <= 0xff)) throw wrong(text, 'bad TOS value')
  return value
}

const USAGE = `Usage: ... ipip  \t[ remote ADDR ]
\t\t\t[ local ADDR ]
\t\t\t[ ttl TTL ]
\t\t\t[ tos TOS ]
\t\t\t[ [no]pmtudisc ]
\t\t\t[ 6rd-prefix ADDR ]
\t\t\t[ 6rd-relay_prefix ADDR ]
\t\t\t[ 6rd-reset ]
\t\t\t[ dev PHYS_DEV ]
\t\t\t[ fwmark MARK ]
\t\t\t[ external ]
\t\t\t[ noencap ]
\t\t\t[ encap { fou | gue | none } ]
\t\t\t[ encap-sport PORT ]
\t\t\t[ encap-dport PORT ]
\t\t\t[ [no]encap-csum ]
\t\t\t[ [no]encap-csum6 ]
\t\t\t[ [no]encap-remcsum ]
\t\t\t[ mode { ipip | mplsip | any } ]

Where:\tADDR := { IP_ADDRESS | any }
\tTOS  := { NUMBER | inherit }
\tTTL  := { 1..255 | inherit }
\tMARK := { 0x0..0xffffffff }`

export function printIpip(printer: Printer, link: Link): void {
  const { remote = 'any', local = 'any', device, ttl, tos, pathMtuDiscovery } = link.ipip!
  printer.both('proto', 'any', 'any ')
  printer.both('remote', remote, `remote ${remote} `)
  printer.both('local', local, `local ${local} `)
  if (device !== undefined) printer.both('link', device, `dev ${device} `)
  printer.both('ttl', ttl, ttl === 0 ? 'ttl inherit ' : `ttl ${ttl} `)
  if (tos !== 0) {
    const hex = `0x${tos.toString(16)}`
    printer.both('tos', hex, `tos ${tos === INHERIT_TOS ? 'inherit' : hex} `)
  }
  printer.member('pmtudisc', pathMtuDiscovery)
  printer.text(pathMtuDiscovery ? 'pmtudisc ' : 'nopmtudisc ')
}
