/** What a base chain may be, and where it is called from. Source: net/netfilter/nft_chain_filter.c, nft_chain_nat.c, nft_chain_route.c. */
import type { NftFamily, NftHook } from '../../../kernel/nftables.ts'
import { EtherType } from '../../../wire/ethernet.ts'
import { sameBytes, u16 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import { routeAgain } from '../../ipv4/output.ts'
import { routeAgain6 } from '../../ipv6/output.ts'
import type { Namespace } from '../../namespace.ts'
import type { Packet } from '../../packet.ts'
import {
  Hook,
  type HookCall,
  type HookEntry,
  type HookFamily,
  type HookNumber,
  register,
  unregister,
  Verdict,
} from '../hooks.ts'
import { type Base, Machine, NetfilterProtocol } from './machine.ts'
import { findIpv4Transport, findIpv6Transport, findNoTransport, findTransport } from './packet-info.ts'
import { refusal } from './refusal.ts'
import type { AttachedEntry, Chain } from './ruleset.ts'

type Type = Base['type']

const IP_HOOKS: readonly NftHook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting']
const NAT_HOOKS: readonly NftHook[] = ['prerouting', 'input', 'output', 'postrouting']
const IP_TYPES = { filter: IP_HOOKS, nat: NAT_HOOKS, route: ['output'] } as const

/** nft_chain_type.hook_mask. */
const TYPES: { readonly [F in NftFamily]: { readonly [T in Type]?: readonly NftHook[] } } = {
  ip: IP_TYPES,
  ip6: IP_TYPES,
  inet: { ...IP_TYPES, filter: [...IP_HOOKS, 'ingress'] },
  arp: { filter: ['input', 'output'] },
  bridge: { filter: IP_HOOKS },
  netdev: { filter: ['ingress', 'egress'] },
}

/** NF_ARP_*. */
const ARP_HOOKS = { input: 0, output: 1 } as const

/** NF_IP_PRI_CONNTRACK: NAT needs connections. */
const CONNTRACK_PRIORITY = -200

/** nft_chain_parse_hook. */
export function checkBase(family: NftFamily, { type, hook, priority, device }: Base): void {
  const hooks = TYPES[family][type]
  if (!hooks) throw refusal('ENOENT')
  if (!hooks.includes(hook)) throw refusal('EOPNOTSUPP')
  if (type === 'nat' && priority <= CONNTRACK_PRIORITY) throw refusal('EOPNOTSUPP')
  if (isOnDevice(hook) !== (device !== undefined)) throw refusal('EINVAL')
}

export function hasType(family: NftFamily, type: Type): boolean {
  return type in TYPES[family]
}

export function isOnDevice(hook: NftHook): boolean {
  return hook === 'ingress' || hook === 'egress'
}

/** Machines at hand: one for each evaluation under way, as a rule may send a packet that meets rules. */
export class Machines {
  readonly #namespace: Namespace
  readonly #machines: Machine[] = []
  #busy = 0

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  take(): Machine {
    const machine = this.#machines[this.#busy] ?? this.#add()
    this.#busy++
    return machine
  }

  release(): void {
    this.#busy--
  }

  #add(): Machine {
    const machine = new Machine()
    machine.namespace = this.#namespace
    this.#machines.push(machine)
    return machine
  }
}

type Prepare = (machine: Machine) => void

const PREPARE: { readonly [F in HookFamily]: Prepare } = {
  ip: findIpv4Transport,
  ip6: findIpv6Transport,
  bridge: (machine) => findTransport(machine, machine.packet.protocol),
  arp: findNoTransport,
}

/** The chain as a hook calls it: nft_do_chain_ipv4 and its like. */
export function hookCall(chain: Chain, machines: Machines, family: HookFamily): HookCall {
  const protocol = NetfilterProtocol[family]
  const prepare = PREPARE[family]
  return (packet, hook, input, output) => {
    const machine = machines.take()
    try {
      machine.packet = packet
      machine.hook = hook
      machine.protocol = protocol
      machine.input = input
      machine.output = output
      machine.data = packet.network
      prepare(machine)
      return machine.evaluate(chain)
    } finally {
      machines.release()
    }
  }
}

/** nf_route_table_hook: what a chain of type `route` has changed may lead elsewhere. */
function routing(call: HookCall, namespace: Namespace, family: HookFamily): HookCall {
  const [from, to] = family === 'ip' ? [12, 20] : [8, 40]
  return (packet, hook, input, output) => {
    const { mark } = packet
    const traffic = u16(packet.bytes, packet.network)
    const addresses = packet.bytes.slice(packet.network + from, packet.network + to)
    const verdict = call(packet, hook, input, output)
    const { bytes, network } = packet
    const same = packet.mark === mark && u16(bytes, network) === traffic
    if (verdict !== Verdict.accept || (same && sameBytes(bytes, network + from, addresses, 0, to - from)))
      return verdict
    const refused = family === 'ip' ? routeAgain(namespace, packet) : routeAgain6(namespace, packet)
    namespace.refusal = refused
    return refused === undefined ? Verdict.accept : Verdict.drop
  }
}

/** nft_do_chain_netdev; nft_do_chain_inet_ingress, which has no eyes for what is not IP. */
function deviceCall(chain: Chain, machines: Machines): HookCall {
  const isInet = chain.table.family === 'inet'
  return (packet, hook, input, output) => {
    const family = isInet ? ipFamily(packet) : 'netdev'
    if (family === undefined) return Verdict.accept
    const machine = machines.take()
    try {
      machine.packet = packet
      machine.hook = hook
      machine.protocol = NetfilterProtocol[family]
      machine.input = input
      machine.output = output
      machine.data = input ? packet.network : packet.link
      findTransport(machine, packet.protocol)
      return machine.evaluate(chain)
    } finally {
      machines.release()
    }
  }
}

function ipFamily({ protocol }: Packet): 'ip' | 'ip6' | undefined {
  if (protocol === EtherType.ipv4) return 'ip'
  return protocol === EtherType.ipv6 ? 'ip6' : undefined
}

/** The hook families in which a chain of this family is called. */
function hookFamilies(family: NftFamily): readonly HookFamily[] {
  if (family === 'inet') return ['ip', 'ip6']
  return family === 'netdev' ? [] : [family]
}

/** nf_register_net_hook. */
export function attach(chain: Chain, namespace: Namespace, machines: Machines): void {
  const { base, table, devices } = chain
  if (!base) return
  if (isOnDevice(base.hook)) {
    for (const name of devices) {
      const device = namespace.devices.get(name)
      if (device) attachToDevice(chain, device, machines)
    }
    return
  }
  const { priority, type } = base
  const hook =
    table.family === 'arp' ? ARP_HOOKS[base.hook as 'input' | 'output'] : Hook[base.hook as keyof typeof Hook]
  for (const family of hookFamilies(table.family)) {
    const call = hookCall(chain, machines, family)
    const isRoute = type === 'route'
    const entry: HookEntry = {
      priority,
      name: `nft ${chain.title}`,
      call: isRoute ? routing(call, namespace, family) : call,
    }
    if (type === 'nat' && (family === 'ip' || family === 'ip6')) attachToNat(chain, namespace, family, hook, entry)
    else {
      const hooks = namespace.hooks[family]
      hooks.register(hook, entry)
      chain.entries.push({ entry, detach: () => hooks.unregister(hook, entry) })
    }
  }
}

/** nf_nat_register_fn: asked by NAT's own hooks, for the first packet of a connection. */
function attachToNat(
  chain: Chain,
  namespace: Namespace,
  family: 'ip' | 'ip6',
  hook: HookNumber,
  entry: HookEntry,
): void {
  const { nat } = namespace.conntrack
  nat.register(family, hook, entry)
  chain.entries.push({ entry, detach: () => nat.unregister(family, hook, entry) })
}

/** nft_netdev_hook: the device is there, or comes. */
export function attachToDevice(chain: Chain, device: Device, machines: Machines): void {
  const { priority, hook } = chain.base!
  const side = hook === 'egress' ? 'egress' : 'ingress'
  const entry: HookEntry = { priority, name: `nft ${chain.title}`, call: deviceCall(chain, machines) }
  const entries = device[side] ?? []
  device[side] = entries
  register(entries, entry)
  chain.entries.push({
    entry,
    device,
    detach() {
      unregister(entries, entry)
      if (entries.length === 0) device[side] = undefined
    },
  })
}

export function detach(chain: Chain, device?: Device): void {
  const isMeant = (attached: AttachedEntry) => device === undefined || attached.device === device
  for (const attached of chain.entries.filter(isMeant)) {
    attached.detach()
    chain.entries.splice(chain.entries.indexOf(attached), 1)
  }
}
