/** Translation: `masquerade`, `nat`, `redirect`. Source: net/netfilter/nft_masq.c, nft_nat.c, nft_redir.c. */
import type { NftExpression, NftFamily, NftHook, NftRegister } from '../../../kernel/nftables.ts'
import { u16, u32 } from '../../bytes.ts'
import type { Address } from '../conntrack/tuple.ts'
import { masquerade, redirect } from '../nat/masquerade.ts'
import { type NatKind, type NatRange, RangeFlag } from '../nat/range.ts'
import { setupNat } from '../nat.ts'
import type { Compiled } from './compile.ts'
import { type Base, type Machine, NetfilterProtocol } from './machine.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import { ACCEPT, CONTINUE } from './verdict.ts'

type Of<T extends NftExpression['type']> = Extract<NftExpression, { type: T }>

const HOOKS: { readonly [K in NatKind]: readonly NftHook[] } = {
  dnat: ['prerouting', 'output'],
  snat: ['postrouting', 'input'],
}

/** Where the registers with a range's ends are. */
interface Places {
  readonly min: number
  readonly max: number
}

/** Translation of addresses stands in nat chains alone, and each kind in its hooks. */
export function natAllows(hooks: readonly NftHook[]): (base: Base) => boolean {
  return ({ type, hook }) => type === 'nat' && hooks.includes(hook)
}

export function compileMasquerade(expression: Of<'masquerade'>, registers: Registers, rule: string): Compiled {
  const ports = placesOf(registers, expression.portMin, expression.portMax, 2)
  const flags = expression.flags ?? 0
  return {
    tracks: true,
    allows: natAllows(['postrouting']),
    operation(machine) {
      const { packet, output } = machine
      if (!packet.connection) return ACCEPT
      return masquerade(packet, packet.connection, rangeOf(machine, flags, undefined, ports), output!, rule)
    },
  }
}

export function compileRedirect(expression: Of<'redirect'>, registers: Registers, rule: string): Compiled {
  const ports = placesOf(registers, expression.portMin, expression.portMax, 2)
  const flags = expression.flags ?? 0
  return {
    tracks: true,
    allows: natAllows(HOOKS.dnat),
    operation(machine) {
      const { packet, hook, input } = machine
      if (!packet.connection) return ACCEPT
      return redirect(packet, packet.connection, rangeOf(machine, flags, undefined, ports), hook, input, rule)
    },
  }
}

export function compileNat(
  expression: Of<'nat'>,
  registers: Registers,
  tableFamily: NftFamily,
  rule: string,
): Compiled {
  const { kind, family } = expression
  if (tableFamily !== 'inet' && tableFamily !== family) throw refusal('EOPNOTSUPP')
  const length = family === 'ip' ? 4 : 16
  const addresses = placesOf(registers, expression.addressMin, expression.addressMax, length)
  const ports = placesOf(registers, expression.portMin, expression.portMax, 2)
  const flags = expression.flags ?? 0
  const protocol = NetfilterProtocol[family]
  return {
    // nft_nat_init: those of its own family, whatever the table's.
    tracks: family,
    allows: natAllows(HOOKS[kind]),
    operation(machine) {
      // In an inet table packets of the other family pass it by.
      if (machine.protocol !== protocol) return CONTINUE
      const { packet } = machine
      if (!packet.connection) return ACCEPT
      return setupNat(packet, packet.connection, kind, rangeOf(machine, flags, addresses, ports), rule)
    },
  }
}

function placesOf(
  registers: Registers,
  min: NftRegister | undefined,
  max: NftRegister | undefined,
  length: number,
): Places | undefined {
  if (min === undefined) return undefined
  const first = registers.load(min, length)
  return { min: first, max: max === undefined ? first : registers.load(max, length) }
}

function rangeOf(
  { registers, protocol }: Machine,
  flags: number,
  addresses: Places | undefined,
  ports: Places | undefined,
): NatRange {
  const isIpv4 = protocol === NetfilterProtocol.ip
  const address = (at: number): Address => (isIpv4 ? u32(registers, at) : registers.slice(at, at + 16))
  return {
    flags: flags | (addresses ? RangeFlag.mapAddresses : 0) | (ports ? RangeFlag.portsSpecified : 0),
    minAddress: addresses ? address(addresses.min) : 0,
    maxAddress: addresses ? address(addresses.max) : 0,
    minPort: ports ? u16(registers, ports.min) : 0,
    maxPort: ports ? u16(registers, ports.max) : 0,
    basePort: 0,
  }
}
