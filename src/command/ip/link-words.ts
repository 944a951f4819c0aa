/** A link as it is typed to `ip link add`, `set` and `delete`: iplink_parse() in iplink.c. */
import type { LinkChange } from '../../kernel/link.ts'
import {
  type Arguments,
  abbreviates,
  duplicate,
  garbage,
  parseHardwareAddress,
  parseSwitch,
  parseUnsigned,
  wrong,
} from '../arguments.ts'
import { Exit } from '../exit.ts'
import { readGroup } from '../names.ts'
import { notModelled, type Settings } from './settings.ts'

/** What ip takes and the kernel interface does not have. */
const NOT_MODELLED = `index xdp xdpgeneric xdpdrv xdpoffload multicast trailers arp carrier vf vrf dynamic mode state
  numtxqueues numrxqueues addrgenmode link-netns link-netnsid gso_max_size gso_max_segs gro_max_size protodown
  protodown_reason parentdev broadcast brd`.split(/\s+/)

export interface TypedLink {
  device?: string
  name?: string
  /** Kind, behind which what is its own follows. */
  type?: string
  /** `link DEV`. */
  parent?: string
  namespace?: string
  readonly change: { -readonly [K in keyof LinkChange]: LinkChange[K] }
}

/** Reads up to `type KIND`, or to the end. */
export function parseLink(settings: Settings, args: Arguments, ends: readonly string[] = []): TypedLink {
  const link: TypedLink = { change: {} }
  const { change } = link
  while (args.more && !ends.includes(args.next)) {
    if (args.takes('up')) change.up = true
    else if (args.takes('down')) change.up = false
    else if (args.takes('name')) {
      if (link.name !== undefined) throw duplicate('name', args.next)
      link.name = parseName(args.take(), 'name')
    } else if (args.next.length > 1 && args.takesBegun('link')) link.parent = args.take()
    else if (args.takesBegun('address')) change.mac = parseHardware(args.take())
    else if (args.takes('qlen') || (args.next.length > 1 && args.takesBegun('txqueuelen', 'txqlen'))) {
      change.txQueueLength = parseUnsigned(args.take(), 'Invalid "txqueuelen" value\n')
    } else if (args.takes('mtu')) change.mtu = parseUnsigned(args.take(), 'Invalid "mtu" value\n')
    else if (args.takes('netns')) link.namespace = args.take()
    else if (args.takes('allmulticast')) change.allMulticast = readSwitch('allmulticast', args.take())
    else if (args.takes('promisc')) change.promiscuous = readSwitch('promisc', args.take())
    else if (args.takes('master')) {
      const text = args.take()
      if (!settings.kernel.links.get(text)) throw wrong(text, 'Device does not exist\n')
      change.master = text
    } else if (args.takes('nomaster')) change.master = null
    else if (args.next.length > 1 && args.takesBegun('type')) {
      link.type = args.take()
      break
    } else if (args.next.length > 1 && args.takesBegun('alias')) change.alias = args.take() || null
    else if (args.takes('group')) {
      const text = args.take()
      const group = readGroup(text)
      if (group === undefined) throw wrong(text, 'Invalid "group" value\n')
      change.group = group
    } else if (NOT_MODELLED.includes(args.next)) throw notModelled(settings, `link with "${args.next}"`)
    else {
      args.takes('dev')
      if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
      if (link.device !== undefined) throw garbage('dev', args.next)
      link.device = parseName(args.take(), 'dev')
    }
  }
  return link
}

function parseName(text: string, word: string): string {
  if (text === '' || /[/\s]/.test(text) || text === '.' || text === '..') {
    throw wrong(text, `"${word}" not a valid ifname`)
  }
  return text
}

function parseHardware(text: string): string {
  return parseHardwareAddress(
    text,
    new Exit(1, `"${text}" is invalid lladdr.`),
    (length) => new Exit(1, `Invalid address length ${length} - must be 6 bytes`),
  )
}

function readSwitch(word: string, text: string): boolean {
  return parseSwitch(text, () => new Exit(1, `Error: argument of "${word}" must be "on" or "off", not "${text}"`))
}
