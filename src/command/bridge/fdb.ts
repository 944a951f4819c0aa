/** `bridge fdb`: fdb.c of iproute2's bridge. */
import type { Link } from '../../kernel/link.ts'
import type { FdbEntry } from '../../kernel/neighbour.ts'
import {
  type Arguments,
  abbreviates,
  duplicate,
  garbage,
  parseAddress,
  parseHardwareAddress,
  readUnsigned,
  wrong,
} from '../arguments.ts'
import { Exit } from '../exit.ts'
import { notModelled, print, type Settings } from '../ip/settings.ts'
import type { Printer } from '../printer.ts'

type Operation = 'add' | 'append' | 'replace' | 'delete'

export function doFdb(settings: Settings, args: Arguments): void {
  const command = args.more ? args.take() : 'show'
  if (abbreviates(command, 'add')) changeFdb(settings, args, 'add')
  else if (abbreviates(command, 'append')) changeFdb(settings, args, 'append')
  else if (abbreviates(command, 'replace')) changeFdb(settings, args, 'replace')
  else if (abbreviates(command, 'delete')) changeFdb(settings, args, 'delete')
  else if (abbreviates(command, 'get')) throw notModelled(settings, 'fdb get')
  else if (abbreviates(command, 'show', 'lst', 'list')) showFdb(settings, args)
  else if (abbreviates(command, 'flush', 'help')) throw notModelled(settings, `fdb ${command}`)
  else throw new Exit(255, `Command "${command}" is unknown, try "bridge fdb help".`)
}

function showFdb(settings: Settings, args: Arguments): void {
  const { kernel } = settings
  let device: string | undefined
  let bridge: string | undefined
  let vlan: number | undefined
  let dynamic = false
  while (args.more) {
    if (args.takes('brport', 'dev')) {
      if (device !== undefined) throw duplicate('dev', args.next)
      device = args.take()
    } else if (args.takes('br')) bridge = args.take()
    else if (args.takes('vlan')) vlan = readUnsigned(args.take(), 0xffff) ?? 0
    else if (args.takes('dynamic')) dynamic = true
    else if (args.takes('state')) throw notModelled(settings, 'fdb show state')
    else if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
    else args.take() // bridge ignores what it does not know here
  }
  const links = kernel.links.list()
  const byName = new Map(links.map((link) => [link.name, link]))
  const byIndex = new Map(links.map((link) => [link.index, link]))
  if (bridge !== undefined && !byName.has(bridge)) throw new Exit(255, `Cannot find bridge device "${bridge}"`)
  if (device !== undefined && !byName.has(device)) throw new Exit(255, `Cannot find device "${device}"`)
  const bridgeOf = (link: Link | undefined) =>
    link?.kind === 'bridge' ? link.name : byIndex.get(link?.master ?? 0)?.name
  const entries = kernel.fdb
    .list(device === undefined ? {} : { link: device })
    .filter(
      (entry) =>
        (bridge === undefined || bridgeOf(byName.get(entry.link)) === bridge) &&
        (vlan === undefined || entry.vlan === vlan) &&
        (!dynamic || entry.state !== 'permanent'),
    )
  print(settings, (printer) => {
    printer.array(undefined, () => {
      for (const entry of entries) {
        printer.object(() => {
          const master = entry.owner === 'master' ? bridgeOf(byName.get(entry.link)) : undefined
          printEntry(printer, entry, master, device !== undefined)
        })
      }
    })
  })
}

function printEntry(printer: Printer, entry: FdbEntry, master: string | undefined, hideDevice: boolean): void {
  printer.both('mac', entry.mac)
  if (!hideDevice) printer.both('ifname', entry.link, `dev ${entry.link} `)
  if (entry.destination !== undefined) printer.both('dst', entry.destination, `dst ${entry.destination} `)
  if (entry.vlan !== undefined) printer.both('vlan', entry.vlan, `vlan ${entry.vlan} `)
  if (entry.port !== undefined) printer.both('port', entry.port, `port ${entry.port} `)
  if (entry.vni !== undefined) printer.both('vni', entry.vni, `vni ${entry.vni} `)
  if (entry.via !== undefined) printer.both('viaIf', entry.via, `via ${entry.via} `)
  printer.strings('flags', entry.owner === 'self' ? ['self'] : [])
  if (entry.owner === 'self') printer.text('self ')
  if (master !== undefined) printer.both('master', master, `master ${master} `)
  const state = stateOf(entry)
  printer.both('state', state, `${state}\n`)
}

/** Learnt and fresh: nothing is said. */
function stateOf({ state, stale }: FdbEntry): string {
  if (state === 'permanent' || state === 'static') return state
  return stale ? 'stale' : ''
}

function changeFdb(settings: Settings, args: Arguments, operation: Operation): void {
  const { kernel } = settings
  const owners: FdbEntry['owner'][] = []
  const entry: { -readonly [K in keyof FdbEntry]?: FdbEntry[K] } = {}
  let mac: string | undefined
  while (args.more) {
    if (args.takes('dev')) entry.link = args.take()
    else if (args.takes('dst')) {
      if (entry.destination !== undefined) throw duplicate('dst', args.next)
      entry.destination = parseAddress(args.take()).address
    } else if (args.takes('port')) {
      const text = args.take()
      const port = readUnsigned(text, 0xffff)
      if (port === undefined) throw wrong(text, 'invalid port\n')
      entry.port = port
    } else if (args.takes('vni')) {
      const text = args.take()
      const vni = readUnsigned(text, 0xff_ffff)
      if (vni === undefined) throw wrong(text, 'invalid VNI\n')
      entry.vni = vni
    } else if (args.takes('via')) {
      entry.via = args.take()
      if (!kernel.links.get(entry.via)) throw new Exit(255, `Cannot find device "${entry.via}"`)
    } else if (args.takes('self')) owners.push('self')
    else if (args.next.length > 0 && args.takesBegun('master')) owners.unshift('master')
    else if (args.takesBegun('local', 'permanent')) entry.state = 'permanent'
    else if (args.takesBegun('temp', 'static')) entry.state = 'static'
    else if (args.takesBegun('dynamic')) entry.state = 'dynamic'
    else if (args.takesBegun('vlan')) {
      if (entry.vlan !== undefined) throw duplicate('vlan', args.next)
      entry.vlan = Number.parseInt(args.take(), 10) || 0
    } else if (
      ['src_vni', 'router', 'use', 'extern_learn', 'sticky', 'nhid'].some((word) => abbreviates(args.next, word))
    ) {
      throw notModelled(settings, `fdb with "${args.next}"`)
    } else {
      args.takes('to')
      if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
      if (mac !== undefined) throw garbage('to', args.next)
      mac = args.take()
    }
  }
  if (entry.link === undefined || mac === undefined) throw new Exit(255, 'Device and address are required arguments.')
  const whole = { ...entry, link: entry.link, mac: readMac(mac) }
  if (!kernel.links.get(entry.link)) throw new Exit(255, `Cannot find device "${entry.link}"`)
  for (const owner of owners.length > 0 ? new Set(owners) : (['self'] as const))
    kernel.fdb[operation]({ ...whole, owner })
}

function readMac(text: string): string {
  const message = new Exit(255, `Invalid mac address ${text}`)
  return parseHardwareAddress(text, message, () => message)
}
