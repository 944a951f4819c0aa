/** `bridge link`: link.c of iproute2's bridge. */
import type { BridgePort, Link } from '../../kernel/link.ts'
import { type Arguments, abbreviates, parseSwitch } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { type LinkOf, linksOf, nameOf, printFlags, printName } from '../ip/link-line.ts'
import { notModelled, print, type Settings } from '../ip/settings.ts'
import type { Printer } from '../printer.ts'

type Switch =
  | 'hairpin'
  | 'learning'
  | 'flood'
  | 'multicastFlood'
  | 'broadcastFlood'
  | 'neighbourSuppression'
  | 'isolated'
const SWITCHES: Readonly<Record<string, Switch>> = {
  hairpin: 'hairpin',
  learning: 'learning',
  flood: 'flood',
  mcast_flood: 'multicastFlood',
  bcast_flood: 'broadcastFlood',
  neigh_suppress: 'neighbourSuppression',
  isolated: 'isolated',
}
const NOT_MODELLED =
  `learning_sync guard fastleave root_block mcast_router mcast_fast_leave mcast_to_unicast vlan_tunnel
  locked hwmode backup_port nobackup_port state`.split(/\s+/)
/** EINVAL, negative, as exit(3) cuts it. */
const MINUS_EINVAL = 234

export function doPort(settings: Settings, args: Arguments): void {
  const command = args.more ? args.take() : 'show'
  if (abbreviates(command, 'set', 'change')) setPort(settings, args)
  else if (abbreviates(command, 'show', 'lst', 'list')) showPorts(settings, args)
  else if (abbreviates(command, 'help')) throw notModelled(settings, 'help')
  else throw new Exit(255, `Command "${command}" is unknown, try "bridge link help".`)
}

function showPorts(settings: Settings, args: Arguments): void {
  const { kernel } = settings
  let device: string | undefined
  let master: number | undefined
  while (args.more) {
    if (args.takes('dev')) device = args.take()
    else if (args.takes('master')) {
      const name = args.take()
      const bridge = kernel.links.get(name)
      if (!bridge) throw new Exit(255, `Cannot find bridge device "${name}"`)
      master = bridge.index
    } else throw notModelled(settings, `link show with "${args.next}"`)
  }
  const only = device === undefined ? undefined : kernel.links.get(device)
  if (device !== undefined && !only) throw new Exit(255, `Cannot find device "${device}"`)
  const links = only ? [only] : kernel.links.list()
  const linkOf = linksOf(kernel, only ? [] : links)
  print(settings, (printer) => {
    printer.array(undefined, () => {
      for (const link of links) {
        if (!link.port || (master !== undefined && link.master !== master)) continue
        printer.object(() => printPort(printer, link, link.port!, linkOf, settings.details > 0))
      }
    })
  })
}

function printPort(printer: Printer, link: Link, port: BridgePort, linkOf: LinkOf, details: boolean): void {
  printer.both('ifindex', link.index, `${link.index}: `)
  printName(printer, link, linkOf, (name) => `${name}: `)
  printFlags(printer, link, linkOf)
  printer.both('mtu', link.mtu, `mtu ${link.mtu} `)
  const master = nameOf(linkOf, link.master ?? 0)
  printer.both('master', master, `master ${master} `)
  printer.both('state', port.state, `state ${port.state} `)
  printer.both('priority', port.priority, `priority ${port.priority} `)
  printer.both('cost', port.cost, `cost ${port.cost} `)
  if (details) printPortDetails(printer, link, port)
  printer.text('\n')
}

function printPortDetails(printer: Printer, link: Link, port: BridgePort): void {
  const values = link.details.port
  const flag = (word: string, on: boolean) => {
    printer.member(word, on)
    printer.text(`${word} ${on ? 'on' : 'off'} `)
  }
  const attribute = (word: string, name: string) => flag(word, Boolean(values[name]))
  printer.newLine()
  printer.text('    ')
  flag('hairpin', port.hairpin)
  attribute('guard', 'BRPORT_GUARD')
  attribute('root_block', 'BRPORT_PROTECT')
  attribute('fastleave', 'BRPORT_FAST_LEAVE')
  flag('learning', port.learning)
  flag('flood', port.flood)
  flag('mcast_flood', port.multicastFlood)
  flag('bcast_flood', port.broadcastFlood)
  const router = Number(values.BRPORT_MULTICAST_ROUTER ?? 1)
  printer.both('mcast_router', router, `mcast_router ${router} `)
  attribute('mcast_to_unicast', 'BRPORT_MCAST_TO_UCAST')
  flag('neigh_suppress', port.neighbourSuppression)
  attribute('vlan_tunnel', 'BRPORT_VLAN_TUNNEL')
  flag('isolated', port.isolated)
  attribute('locked', 'BRPORT_LOCKED')
}

function setPort(settings: Settings, args: Arguments): void {
  let device: string | undefined
  const port: { -readonly [K in keyof Omit<BridgePort, 'state'>]?: BridgePort[K] } = {}
  while (args.more) {
    const word = args.take()
    const key = Object.hasOwn(SWITCHES, word) ? SWITCHES[word] : undefined
    if (word === 'dev') device = args.take()
    else if (key) port[key] = readSwitch(word, args.take())
    else if (word === 'cost' || word === 'priority') {
      // As atoi(3): what is no number is 0.
      port[word] = Number.parseInt(args.take(), 10) || 0
    } else if (NOT_MODELLED.includes(word)) throw notModelled(settings, `link set with "${word}"`)
    else if (word === 'self') throw notModelled(settings, 'link set self')
    else if (word !== 'master') throw notModelled(settings, 'help')
  }
  if (device === undefined) throw new Exit(255, 'Device is a required argument.')
  const link = settings.kernel.links.get(device)
  if (!link) throw new Exit(255, `Cannot find bridge device "${device}"`)
  if (!link.port) throw new Exit(255, 'RTNETLINK answers: Operation not supported')
  settings.kernel.links.set(link.name, { port })
}

function readSwitch(word: string, text: string): boolean {
  const message = `Error: argument of "${word}" must be one of "off", "on", not "${text}"`
  return parseSwitch(text, () => new Exit(MINUS_EINVAL, message))
}
