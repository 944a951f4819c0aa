/** `bridge vlan`: vlan.c of iproute2's bridge. */
import { isErrno } from '../../kernel/errors.ts'
import type { BridgeVlan } from '../../kernel/link.ts'
import { type Arguments, abbreviates } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { notModelled, print, type Settings } from '../ip/settings.ts'
import type { Printer } from '../printer.ts'

const MAX_VLAN = 4094
/** Of a column with names: IFNAMSIZ. */
const NAME_WIDTH = 16

export function doVlan(settings: Settings, args: Arguments): void {
  const command = args.more ? args.take() : 'show'
  if (abbreviates(command, 'add')) changeVlan(settings, args, 'add')
  else if (abbreviates(command, 'delete')) changeVlan(settings, args, 'delete')
  else if (abbreviates(command, 'show', 'lst', 'list')) showVlans(settings, args)
  else if (abbreviates(command, 'tunnelshow', 'set', 'global', 'help')) throw notModelled(settings, `vlan ${command}`)
  else throw new Exit(255, `Command "${command}" is unknown, try "bridge vlan help".`)
}

function changeVlan(settings: Settings, args: Arguments, operation: 'add' | 'delete'): void {
  const { kernel } = settings
  let device: string | undefined
  let range: { id: number; end: number } | undefined
  let self = false
  let pvid = false
  let untagged = false
  while (args.more) {
    if (args.takes('dev')) device = args.take()
    else if (args.takes('vid')) range = readRange(args.take())
    else if (args.takes('self')) self = true
    else if (args.takes('pvid')) pvid = true
    else if (args.takes('untagged')) untagged = true
    else if (!args.takes('master'))
      throw notModelled(settings, args.takes('tunnel_info') ? 'vlan with tunnel_info' : 'help')
  }
  if (device === undefined || !range) throw new Exit(255, 'Device and VLAN ID are required arguments.')
  const link = kernel.links.get(device)
  if (!link) throw new Exit(255, `Cannot find bridge device "${device}"`)
  if (range.end > range.id && pvid) throw new Exit(255, 'pvid cannot be configured for a vlan range')
  if (operation === 'add') kernel.bridgeVlans.add(link.name, { ...range, pvid, untagged }, { self })
  else kernel.bridgeVlans.delete(link.name, range, { self })
}

function readRange(text: string): { id: number; end: number } {
  const [first, last = first] = text.split('-')
  const id = Number.parseInt(first!, 10) || 0
  const end = Number.parseInt(last!, 10) || 0
  for (const number of [id, end]) {
    if (number < 0 || number > MAX_VLAN) throw new Exit(255, `Invalid VLAN ID "${text}"`)
  }
  if (end < id) throw new Exit(255, `Invalid VLAN range "${id}-${end}"`)
  return { id, end }
}

function showVlans(settings: Settings, args: Arguments): void {
  const { kernel } = settings
  let device: string | undefined
  while (args.more) {
    if (args.takes('dev')) device = args.take()
    else throw notModelled(settings, `vlan show with "${args.next}"`)
  }
  const only = device === undefined ? undefined : kernel.links.get(device)
  if (device !== undefined && !only) throw new Exit(255, `Cannot find device "${device}"`)
  const links = only ? [only] : kernel.links.list()
  print(settings, (printer) => {
    printer.text(`${'port'.padEnd(NAME_WIDTH)}  vlan-id  \n`)
    printer.array(undefined, () => {
      for (const link of links) {
        if (link.kind !== 'bridge' && !link.port) continue
        const vlans = listVlans(settings, link.name)
        if (vlans.length > 0) printer.object(() => printVlans(printer, link.name, vlans))
      }
    })
  })
}

/** None where the kernel has no VLAN filtering. */
function listVlans({ kernel }: Settings, link: string): BridgeVlan[] {
  try {
    return kernel.bridgeVlans.list(link)
  } catch (error) {
    if (isErrno(error, 'EOPNOTSUPP')) return []
    throw error
  }
}

function printVlans(printer: Printer, name: string, vlans: readonly BridgeVlan[]): void {
  let first = true
  printer.member('ifname', name)
  printer.array('vlans', () => {
    for (const vlan of vlans) {
      for (let id = vlan.id; id <= vlan.end; id++) {
        printer.text(`${(first ? name : '').padEnd(NAME_WIDTH)}  `)
        first = false
        printer.object(() => {
          const flags = [...(vlan.pvid ? ['PVID'] : []), ...(vlan.untagged ? ['Egress Untagged'] : [])]
          printer.both('vlan', id, [id, ...flags].join(' '))
          if (flags.length > 0) printer.strings('flags', flags)
        })
        printer.text('\n')
      }
    }
  })
}
