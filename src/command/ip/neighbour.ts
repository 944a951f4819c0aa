/** `ip neigh`: ipneigh.c of iproute2. */
import { type Family, parseIp } from '../../address/ip.ts'
import { ignoring } from '../../kernel/errors.ts'
import type { Neighbour, NeighbourState } from '../../kernel/neighbour.ts'
import {
  type Arguments,
  abbreviates,
  duplicate,
  parseAddress,
  parseHardwareAddress,
  parseTypedPrefix,
  type TypedPrefix,
  wrong,
} from '../arguments.ts'
import { Exit } from '../exit.ts'
import { protocolName, readProtocol } from '../names.ts'
import type { Printer } from '../printer.ts'
import { sameNetwork } from './link-filter.ts'
import { notModelled, print, requireDevice, type Settings } from './settings.ts'

const STATES: readonly NeighbourState[] = [
  'permanent',
  'reachable',
  'noarp',
  'none',
  'stale',
  'incomplete',
  'delay',
  'probe',
  'failed',
]

export function doNeighbour(settings: Settings, args: Arguments): void {
  if (!args.more) {
    showNeighbours(settings, args)
    return
  }
  const command = args.take()
  const { neighbours } = settings.kernel
  if (abbreviates(command, 'add')) neighbours.add(parseNeighbour(settings, args, 'permanent'))
  else if (abbreviates(command, 'change', 'chg')) changeNeighbour(settings, parseNeighbour(settings, args, 'permanent'))
  else if (abbreviates(command, 'replace')) neighbours.replace(parseNeighbour(settings, args, 'permanent'))
  else if (abbreviates(command, 'delete')) neighbours.delete(parseNeighbour(settings, args, 'none'))
  else if (abbreviates(command, 'get')) getNeighbour(settings, args)
  else if (abbreviates(command, 'show', 'lst', 'list')) showNeighbours(settings, args)
  else if (abbreviates(command, 'flush')) flushNeighbours(settings, args)
  else if (abbreviates(command, 'help')) throw notModelled(settings, 'help')
  else throw new Exit(255, `Command "${command}" is unknown, try "ip neigh help".`)
}

function parseNeighbour(settings: Settings, args: Arguments, defaultState: NeighbourState): Neighbour {
  let state = defaultState
  let mac: string | undefined
  let device: string | undefined
  let address: string | undefined
  let proxy = false
  let router = false
  let protocol: number | undefined
  while (args.more) {
    if (args.takes('lladdr')) {
      if (mac !== undefined) throw duplicate('lladdr', args.next)
      mac = args.take()
    } else if (args.takes('nud')) {
      const text = args.take()
      state = readState(text) ?? refuse(text, 'nud state is bad')
    } else if (args.takesBegun('proxy')) {
      proxy = true
      address = parseAddress(args.take(), settings.family).address
    } else if (args.takes('router')) router = true
    else if (args.takes('dev')) device = args.take()
    else if (args.takesBegun('protocol')) {
      const text = args.take()
      protocol = readProtocol(text) ?? refuse(text, '"protocol" value is invalid\n')
    } else if (args.takesBegun('extern_learn', 'managed', 'use')) {
      throw notModelled(settings, 'neighbour with extern_learn, managed or use')
    } else {
      args.takes('to')
      if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
      if (address !== undefined) throw duplicate('to', args.next)
      address = parseAddress(args.take(), settings.family).address
    }
  }
  if (device === undefined || address === undefined) {
    throw new Exit(255, 'Device and destination are required arguments.')
  }
  if (mac !== undefined && mac !== 'null') mac = readMac(mac)
  const link = requireDevice(settings, device).name
  return {
    link,
    address,
    state,
    ...(mac !== undefined && mac !== 'null' && { mac }),
    ...(router && { router }),
    ...(proxy && { proxy }),
    ...(protocol !== undefined && { protocol }),
  }
}

function readMac(text: string): string {
  return parseHardwareAddress(
    text,
    new Exit(1, `"${text}" is invalid lladdr.`),
    () => new Exit(2, 'Error: Invalid link address.'),
  )
}

function refuse(text: string, message: string): never {
  throw wrong(text, message)
}

function readState(text: string): NeighbourState | undefined {
  return STATES.find((state) => abbreviates(text, state))
}

/** NLM_F_REPLACE without NLM_F_CREATE. What is not typed stays. */
function changeNeighbour(settings: Settings, neighbour: Neighbour): void {
  const { link, address } = neighbour
  const there = settings.kernel.neighbours.list({ link }).find((other) => other.address === address)
  if (!there) throw new Exit(2, 'RTNETLINK answers: No such file or directory')
  settings.kernel.neighbours.replace({ ...(there.mac !== undefined && { mac: there.mac }), ...neighbour })
}

function getNeighbour(settings: Settings, args: Arguments): void {
  let device: string | undefined
  let address: string | undefined
  let proxy = false
  while (args.more) {
    if (args.takes('dev')) device = args.take()
    else {
      if (args.takesBegun('proxy')) proxy = true
      else args.takes('to')
      address = parseAddress(args.take(), settings.family).address
    }
  }
  if (device === undefined || address === undefined) {
    throw new Exit(255, 'Device and address are required arguments.')
  }
  const link = requireDevice(settings, device).name
  const there = settings.kernel.neighbours.list({ link, proxy }).find((other) => other.address === address)
  if (!there) throw new Exit(2, 'Error: Neighbour entry not found.')
  printAll(settings, [there], false)
}

interface NeighbourFilter {
  link?: string
  prefix?: TypedPrefix
  states?: NeighbourState[]
  proxy: boolean
  protocol?: number
}

function parseFilter(settings: Settings, args: Arguments): NeighbourFilter {
  const filter: NeighbourFilter = { proxy: false }
  while (args.more) {
    if (args.takes('dev')) filter.link = requireDevice(settings, args.take()).name
    else if (args.takes('nud')) {
      const text = args.take()
      if (text === 'all') filter.states = [...STATES]
      else filter.states = [...(filter.states ?? []), readState(text) ?? refuse(text, 'nud state is bad')]
    } else if (args.takes('proxy')) filter.proxy = true
    else if (args.takesBegun('protocol')) {
      const text = args.take()
      filter.protocol = readProtocol(text) ?? refuse(text, 'invalid "protocol"\n')
    } else if (['master', 'vrf', 'nomaster', 'unused', 'extern_learn'].includes(args.next)) {
      throw notModelled(settings, `neigh narrowed by "${args.next}"`)
    } else {
      args.takes('to')
      if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
      filter.prefix = parseTypedPrefix(args.take(), settings.family)
    }
  }
  return filter
}

/** Left out, those that need no neighbour discovery are not shown. */
function list(settings: Settings, filter: NeighbourFilter, unless: readonly NeighbourState[]): Neighbour[] {
  const { link, proxy, prefix } = filter
  const family: Family | undefined = settings.family ?? prefix?.family
  const states = filter.states ?? STATES.filter((state) => state !== 'none' && !unless.includes(state))
  return settings.kernel.neighbours
    .list({ ...(link !== undefined && { link }), ...(family && { family }), proxy })
    .filter(
      (neighbour) =>
        (neighbour.proxy || states.includes(neighbour.state ?? 'none')) &&
        (filter.protocol === undefined || (neighbour.protocol ?? 0) === filter.protocol) &&
        (!prefix || prefix.address === '' || isIn(neighbour.address, prefix)),
    )
}

function isIn(address: string, { address: network, length }: TypedPrefix): boolean {
  const [ip, other] = [parseIp(address), parseIp(network)]
  return ip.length === other.length && sameNetwork(ip, other, length)
}

function showNeighbours(settings: Settings, args: Arguments): void {
  if (settings.statistics > 0) throw notModelled(settings, '-s neigh')
  const filter = parseFilter(settings, args)
  printAll(settings, list(settings, filter, ['noarp']), filter.link !== undefined)
}

function printAll(settings: Settings, neighbours: readonly Neighbour[], hideDevice: boolean): void {
  print(settings, (printer) => {
    printer.array(undefined, () => {
      for (const neighbour of neighbours) {
        printer.object(() => {
          if (settings.brief) printBrief(printer, neighbour, hideDevice)
          else printNeighbour(printer, neighbour, hideDevice)
        })
      }
    })
  })
}

function printBrief(printer: Printer, { address, link, mac = '' }: Neighbour, hideDevice: boolean): void {
  printer.both('dst', address, `${address.padEnd(39)} `)
  if (!hideDevice) printer.both('dev', link, `${link.padEnd(16)} `)
  if (mac) printer.both('lladdr', mac, mac)
  printer.text('\n')
}

function printNeighbour(printer: Printer, neighbour: Neighbour, hideDevice: boolean): void {
  const { address, link, mac, router, proxy, protocol } = neighbour
  printer.both('dst', address)
  if (!hideDevice) printer.both('dev', link, `dev ${link} `)
  if (mac !== undefined) printer.both('lladdr', mac, `lladdr ${mac} `)
  for (const [word, is] of [
    ['router', router],
    ['proxy', proxy],
  ] as const) {
    if (!is) continue
    printer.member(word, null)
    printer.text(`${word} `)
  }
  const state = neighbour.state === 'none' || proxy ? undefined : neighbour.state?.toUpperCase()
  if (state) {
    printer.strings('state', [state])
    printer.text(`${state} `)
  }
  if (protocol) printer.both('protocol', protocolName(protocol), `proto ${protocolName(protocol)} `)
  printer.text('\n')
}

function flushNeighbours(settings: Settings, args: Arguments): void {
  if (!args.more) throw new Exit(1, 'Flush requires arguments.')
  if (settings.statistics > 0) throw notModelled(settings, '-s neigh flush')
  const { neighbours } = settings.kernel
  for (const neighbour of list(settings, parseFilter(settings, args), ['permanent', 'noarp'])) {
    ignoring('ENOENT', () => neighbours.delete(neighbour)) // went by itself
  }
}
