/**
 * ip(8) of iproute2 6.1: links, addresses, routes, rules and neighbours, shown and changed.
 *
 *   ip [options] object [command] …       every word may be cut short: `ip -br a`, `ip r`, `ip ro get 10.0.0.1`
 *
 *   settings   the options             link-*      ip link            route-*     ip route
 *                                      address     ip address         rule        ip rule
 *                                      neighbour   ip neigh           tuntap, netns
 */
import type { Family } from '../../address/ip.ts'
import { Arguments, abbreviates } from '../arguments.ts'
import type { Command, Context } from '../command.ts'
import { Exit, ending, NotModelled, type Streams } from '../exit.ts'
import { changeAddress } from './address.ts'
import { changeLink } from './link.ts'
import { showAddresses, showLinks } from './link-show.ts'
import { doNeighbour } from './neighbour.ts'
import { doNamespace } from './netns.ts'
import { doRoute } from './route.ts'
import { doRule } from './rule.ts'
import { refusedByKernel, type Settings } from './settings.ts'
import { doTuntap } from './tuntap.ts'

type ObjectCommand = (settings: Settings, args: Arguments) => void

/** In ip's own order, since the first that fits a shortened word counts: `ip r` is route. What is not here has no function. */
const OBJECTS: readonly (readonly [name: string, command?: ObjectCommand])[] = [
  ['address', doAddress],
  ['addrlabel'],
  ['maddress'],
  ['route', doRoute],
  ['rule', doRule],
  ['neighbor', doNeighbour],
  ['neighbour', doNeighbour],
  ['ntable'],
  ['ntbl'],
  ['link', doLink],
  ['l2tp'],
  ['fou'],
  ['ila'],
  ['macsec'],
  ['tunnel'],
  ['tunl'],
  ['tuntap', doTuntap],
  ['tap', doTuntap],
  ['token'],
  ['tcpmetrics'],
  ['tcp_metrics'],
  ['monitor'],
  ['xfrm'],
  ['mroute'],
  ['mrule'],
  ['netns', doNamespace],
  ['netconf'],
  ['vrf'],
  ['sr'],
  ['nexthop'],
  ['mptcp'],
  ['ioam'],
  ['help'],
  ['stats'],
]

export const ip: Command = (argv, context) =>
  ending(refusedByKernel, (streams) => {
    const { settings, args, close } = readOptions(argv, context, streams)
    try {
      if (!args.more) throw new NotModelled('ip', 'help')
      const word = args.take()
      const object = OBJECTS.find(([name]) => abbreviates(word, name))
      if (!object) throw new Exit(1, `Object "${word}" is unknown, try "ip help".`)
      const [name, command] = object
      if (!command) throw new NotModelled('ip', name)
      command(settings, args)
    } finally {
      close()
    }
    return 0
  })

function doAddress(settings: Settings, args: Arguments): void {
  if (!args.more || args.takesBegun('show', 'lst', 'list')) showAddresses(settings, args)
  else changeAddress(settings, args)
}

function doLink(settings: Settings, args: Arguments): void {
  if (!args.more) showLinks(settings, args)
  else if (abbreviates(args.next, 'add', 'set', 'change', 'replace', 'delete')) changeLink(settings, args)
  else if (args.takesBegun('show', 'lst', 'list')) showLinks(settings, args)
  else if (abbreviates(args.next, 'xstats', 'afstats', 'property', 'help'))
    throw new NotModelled('ip', `link ${args.next}`)
  else throw new Exit(255, `Command "${args.next}" is unknown, try "ip link help".`)
}

interface Options {
  readonly settings: Settings
  readonly args: Arguments
  readonly close: () => void
}

/** Words with one hyphen or two; the first in ip's order that one is the beginning of. */
function readOptions(argv: readonly string[], context: Context, streams: Streams): Options {
  const args = new Arguments(argv.slice(1))
  let family: Family | undefined
  let json = false
  let pretty = false
  let oneLine = false
  let brief = false
  let details = 0
  let statistics = 0
  let kernel = context.kernel
  while (args.next.startsWith('-')) {
    const typed = args.take()
    if (typed === '--') break
    const option = typed.startsWith('--') ? typed.slice(1) : typed
    const is = (...names: string[]) => option !== '-' && names.some((name) => name.startsWith(option))
    if (is('-loops')) throw new NotModelled('ip', option)
    if (is('-family')) family = readFamily(args.take())
    else if (option === '-4') family = 'ipv4'
    else if (option === '-6') family = 'ipv6'
    else if (is('-statistics', '-stats')) statistics++
    else if (is('-details')) details++
    else if (is('-oneline')) oneLine = true
    else if (is('-brief')) {
      if (option === '-b') throw new NotModelled('ip', '-batch')
      brief = true
    } else if (is('-json')) json = true
    else if (is('-pretty')) pretty = true
    else if (/^-c(o(l(or?)?)?)?=(never|auto)$/.test(option)) continue
    else if (is('-netns')) kernel = enter(kernel, args.take(), context)
    else if (is('-Version')) throw new NotModelled('ip', '-Version')
    else if (is(...NOT_MODELLED)) throw new NotModelled('ip', option)
    else throw new Exit(255, `Option "${option}" is unknown, try "ip -help".`)
  }
  const settings = { program: 'ip', kernel, streams, family, json, pretty, oneLine, brief, details, statistics }
  return { settings, args, close: () => kernel !== context.kernel && kernel.close() }
}

const NOT_MODELLED = `-0 -M -B -human -iec -resolve -timestamp -tshort -force -batch -rcvbuf -help -Numeric -all -color
  -color=always`.split(/\s+/)

function readFamily(text: string): Family | undefined {
  if (text === 'inet') return 'ipv4'
  if (text === 'inet6') return 'ipv6'
  if (['link', 'mpls', 'bridge'].includes(text)) throw new NotModelled('ip', `-family ${text}`)
  throw new Exit(255, `Error: argument "${text}" is wrong: invalid protocol family\n`)
}

function enter(current: Context['kernel'], name: string, context: Context): Context['kernel'] {
  const path = name.includes('/') ? name : `/run/netns/${name}`
  const kernel = context.kernel.enter(path)
  if (current !== context.kernel) current.close()
  if (!kernel) throw new Exit(255, `Cannot open network namespace "${name}": No such file or directory`)
  return kernel
}
