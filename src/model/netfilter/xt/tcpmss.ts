/** `TCPMSS`: the largest segment that a TCP SYN announces is made smaller. Source: net/netfilter/xt_TCPMSS.c. */
import type { XtTarget } from '../../../kernel/xtables.ts'
import { setU16, setU32, u16, u32, updateChecksum, updateChecksum32 } from '../../bytes.ts'
import type { Ipv4Route } from '../../ipv4/route.ts'
import { routeOutput } from '../../ipv4/route-output.ts'
import type { Ipv6Route } from '../../ipv6/route.ts'
import { routeOutput6 } from '../../ipv6/route-output.ts'
import { note } from '../../observer.ts'
import { ensureTailroom } from '../../packet.ts'
import type { Compiled } from '../vm/compile.ts'
import { type Machine, NetfilterProtocol } from '../vm/machine.ts'
import { SOURCE } from '../vm/routes.ts'
import { CONTINUE, DROP } from '../vm/verdict.ts'
import { headerLength, MSS_OPTION, MSS_OPTION_LENGTH } from './ports.ts'

type TcpMss = Extract<XtTarget, { target: 'TCPMSS' }>

const TCP_HEADER = 20
const LONGEST_HEADER = 60
const OFFSET_AND_FLAGS = 12
const CHECKSUM = 16
/** RFC 879: what is taken for the maximum segment size of who says none. */
const DEFAULT_MSS = 536
/** RFC 8200 §8.3 */
const DEFAULT_MSS_OF_IPV6 = 1220
const TOTAL_LENGTH = 2
const IP_CHECKSUM = 10
const IP_AND_TCP_HEADERS = 40
const IPV6_AND_TCP_HEADERS = 60
const IPV6_PAYLOAD_LENGTH = 4
const IPV6_SOURCE = 8
/** No route: the other way does not limit it. */
const UNLIMITED = 0xffff_ffff

export function tcpMssTarget({ mss }: TcpMss): Compiled {
  const clamps = mss === 'clamp-to-pmtu'
  return {
    ...(clamps && { allows: ({ hook }) => ['forward', 'output', 'postrouting'].includes(hook), errno: 'EINVAL' }),
    operation(machine) {
      const { packet, transport } = machine
      const headers = machine.protocol === NetfilterProtocol.ip6 ? IPV6_AND_TCP_HEADERS : IP_AND_TCP_HEADERS
      if (machine.fragmentOffset !== 0) return CONTINUE
      const length = packet.end - transport
      if (length < TCP_HEADER || length < headerLength(machine) || headerLength(machine) < TCP_HEADER) return DROP
      const wanted = clamps ? Math.min((packet.route as Ipv4Route | Ipv6Route).mtu, reverseMtu(machine)) - headers : mss
      if (wanted <= 0) return DROP
      setMss(machine, wanted & 0xffff)
      return CONTINUE
    },
  }
}

/** tcpmss_mangle_packet. An announced size is never made larger. */
function setMss(machine: Machine, mss: number): void {
  const { packet, transport } = machine
  const { bytes } = packet
  const header = headerLength(machine)
  let at = TCP_HEADER
  while (at <= header - MSS_OPTION_LENGTH) {
    const place = transport + at
    if (bytes[place] === MSS_OPTION && bytes[place + 1] === MSS_OPTION_LENGTH) {
      const before = u16(bytes, place + 2)
      if (before <= mss) return
      setU16(bytes, place + 2, mss)
      updateChecksum(bytes, transport + CHECKSUM, before, mss)
      noteMss(machine, before, mss)
      return
    }
    at += bytes[place]! < 2 ? 1 : bytes[place + 1] || 1
  }
  // Data behind the header would have to move, and the packet might grow too large.
  if (packet.end - transport > header || header >= LONGEST_HEADER) return
  const most = machine.protocol === NetfilterProtocol.ip6 ? DEFAULT_MSS_OF_IPV6 : DEFAULT_MSS
  addMss(machine, Math.min(mss, most))
}

/** The option goes before all others. */
function addMss(machine: Machine, mss: number): void {
  const { packet } = machine
  const length = packet.end - machine.transport
  ensureTailroom(packet, MSS_OPTION_LENGTH)
  const { bytes, network, end } = packet
  const transport = end - length
  machine.transport = transport
  const options = transport + TCP_HEADER
  bytes.copyWithin(options + MSS_OPTION_LENGTH, options, end)
  packet.end += MSS_OPTION_LENGTH
  updateChecksum(bytes, transport + CHECKSUM, length, length + MSS_OPTION_LENGTH)
  setU32(bytes, options, ((MSS_OPTION << 24) | (MSS_OPTION_LENGTH << 16) | mss) >>> 0)
  updateChecksum32(bytes, transport + CHECKSUM, 0, u32(bytes, options))
  const before = u16(bytes, transport + OFFSET_AND_FLAGS)
  setU16(bytes, transport + OFFSET_AND_FLAGS, before + 0x1000)
  updateChecksum(bytes, transport + CHECKSUM, before, before + 0x1000)
  noteMss(machine, undefined, mss)
  if (machine.protocol === NetfilterProtocol.ip6) {
    setU16(bytes, network + IPV6_PAYLOAD_LENGTH, u16(bytes, network + IPV6_PAYLOAD_LENGTH) + MSS_OPTION_LENGTH)
    return
  }
  const total = u16(bytes, network + TOTAL_LENGTH)
  setU16(bytes, network + TOTAL_LENGTH, total + MSS_OPTION_LENGTH)
  updateChecksum(bytes, network + IP_CHECKSUM, total, total + MSS_OPTION_LENGTH)
}

/** tcpmss_reverse_mtu: of the way back to who sent it. */
function reverseMtu({ namespace, protocol, packet: { bytes, network } }: Machine): number {
  if (protocol === NetfilterProtocol.ip6) {
    const destination = bytes.slice(network + IPV6_SOURCE, network + IPV6_SOURCE + 16)
    const back = routeOutput6(namespace, { destination })
    return typeof back === 'string' ? UNLIMITED : back.mtu
  }
  const route = routeOutput(namespace, { destination: u32(bytes, network + SOURCE) })
  return typeof route === 'string' ? UNLIMITED : route.mtu
}

function noteMss({ packet, input, output }: Machine, before: number | undefined, after: number): void {
  if (!packet.journey) return
  const device = input ?? output ?? packet.device
  const set = { 'tcp.options.mss_val': [before, after] } as const
  note(packet, device, 'rule', `TCPMSS set to ${after}`, { kernel: 'tcpmss_mangle_packet', set })
}
