/** Frames for tests, made by the codecs. */
import { EtherType, encodeEthernet } from '../../src/wire/ethernet.ts'
import { encodeIpv4, IpProtocol } from '../../src/wire/ipv4.ts'
import { encodeUdp } from '../../src/wire/udp.ts'

export const A = '02:00:00:00:00:0a'
export const B = '02:00:00:00:00:0b'

export interface PacketOptions {
  readonly source?: string
  readonly destination?: string
  readonly ttl?: number
  readonly identification?: number
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
  readonly dontFragment?: boolean
}

export function ethernet(payload: Uint8Array, etherType: number = EtherType.ipv4): Uint8Array {
  return encodeEthernet({ destination: B, source: A, tags: [], etherType, payload })
}

export function ipv4(protocol: number, payload: Uint8Array, options: PacketOptions = {}): Uint8Array {
  return encodeIpv4({
    tos: 0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    source: '10.0.0.1',
    destination: '10.0.0.2',
    ...options,
    protocol,
    options: [],
    payload,
  })
}

export function udpFrame(
  ports: { readonly sourcePort?: number; readonly destinationPort?: number; readonly payload?: Uint8Array } = {},
  options: PacketOptions = {},
): Uint8Array {
  const { source = '10.0.0.1', destination = '10.0.0.2' } = options
  const { sourcePort = 4000, destinationPort = 53, payload = Uint8Array.of(0x78) } = ports
  const udp = encodeUdp({ sourcePort, destinationPort, payload }, { source, destination })
  return ethernet(ipv4(IpProtocol.udp, udp, options))
}

/** RFC 7348 §5, between 192.168.56.11 and .12. */
export function vxlanFrame(inner: Uint8Array, vni = 1, port = 8472, flags = 8): Uint8Array {
  const header = Uint8Array.of(flags, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0)
  return udpFrame(
    { sourcePort: 50000, destinationPort: port, payload: Uint8Array.from([...header, ...inner]) },
    { source: '192.168.56.11', destination: '192.168.56.12' },
  )
}

/** A TCP header without options but a timestamp, if given; flags as they stand in its byte 13. */
export function tcpFrame(
  flags: number,
  { sequence = 1, timestamp }: { readonly sequence?: number; readonly timestamp?: number } = {},
  options: PacketOptions = {},
): Uint8Array {
  const stamp = timestamp === undefined ? [] : [1, 1, 8, 10, 0, 0, 0, timestamp, 0, 0, 0, 0]
  const words = (20 + stamp.length) / 4
  const tcp = [
    0x9c,
    0x40,
    0x1f,
    0x90,
    0,
    0,
    0,
    sequence,
    0,
    0,
    0,
    0,
    words << 4,
    flags,
    0xff,
    0xff,
    0,
    0,
    0,
    0,
    ...stamp,
  ]
  return ethernet(ipv4(IpProtocol.tcp, Uint8Array.from(tcp), options))
}
