/** Packets as a kernel would give and take them, made and taken apart with the codecs of src/wire. */
import assert from 'node:assert/strict'
import { checksum, pseudoHeader, sum } from '../../../src/wire/checksum.ts'
import { decodeIpv4, encodeIpv4, hasRightChecksum, IpProtocol, type Ipv4 } from '../../../src/wire/ipv4.ts'
import { decodeTcp, encodeTcp, type Tcp, TcpFlag, timestampsOption } from '../../../src/wire/tcp.ts'
import { decodeUdp, encodeUdp } from '../../../src/wire/udp.ts'

export const HERE = '10.5.1.2'
export const THERE = '10.5.2.3'
export const NODE = '192.168.1.2'
export const route = { subnet: '10.5.2.0/24', node: NODE }
/** Where packets that come in are meant for. */
export const ends = { source: THERE, destination: HERE }
const outward = { source: HERE, destination: THERE }

const VNET = 10

export interface Header {
  readonly flags: number
  readonly type: number
  readonly headerLength: number
  readonly size: number
  readonly start: number
  readonly offset: number
}

const none: Header = { flags: 0, type: 0, headerLength: 0, size: 0, start: 0, offset: 0 }

/** The packet behind its virtio_net_hdr. */
export function withHeader(packet: Uint8Array, header: Partial<Header> = {}): Uint8Array {
  const { flags, type, headerLength, size, start, offset } = { ...none, ...header }
  const bytes = new Uint8Array(VNET + packet.length)
  const view = new DataView(bytes.buffer)
  bytes[0] = flags
  bytes[1] = type
  for (const [i, value] of [headerLength, size, start, offset].entries()) view.setUint16(2 + 2 * i, value, true)
  bytes.set(packet, VNET)
  return bytes
}

export function readHeader(bytes: Uint8Array): { header: Header; packet: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [headerLength, size, start, offset] = [2, 4, 6, 8].map((at) => view.getUint16(at, true))
  const header = {
    flags: bytes[0]!,
    type: bytes[1]!,
    headerLength: headerLength!,
    size: size!,
    start: start!,
    offset: offset!,
  }
  return { header, packet: bytes.subarray(VNET) }
}

export interface Shape {
  readonly source?: string
  readonly destination?: string
  readonly tos?: number
  readonly identification?: number
  readonly dontFragment?: boolean
  readonly ttl?: number
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
  readonly options?: Ipv4['options']
  readonly port?: number
}

function ip({ port: _, ...shape }: Shape, protocol: number, payload: Uint8Array): Uint8Array {
  return encodeIpv4({
    ...{
      tos: 0,
      identification: 100,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      options: [],
    },
    ...outward,
    ...shape,
    protocol,
    payload,
  })
}

export function udpPacket(payload: Uint8Array, shape: Shape = {}): Uint8Array {
  const endpoints = { ...outward, ...shape }
  const udp = encodeUdp({ sourcePort: shape.port ?? 1000, destinationPort: 2000, payload }, endpoints)
  return ip(shape, IpProtocol.udp, udp)
}

export function tcpPacket(payload: Uint8Array, tcp: Partial<Tcp> = {}, shape: Shape = {}): Uint8Array {
  const segment = encodeTcp(
    {
      ...{ sourcePort: shape.port ?? 1000, destinationPort: 2000, sequence: 1, acknowledgment: 7, flags: TcpFlag.ack },
      ...{
        window: 500,
        urgentPointer: 0,
        options: [{ kind: 1, data: new Uint8Array() }, { kind: 1, data: new Uint8Array() }, timestampsOption(5, 6)],
      },
      ...tcp,
      payload,
    },
    { ...outward, ...shape },
  )
  return ip(shape, IpProtocol.tcp, segment)
}

export function icmpPacket(type: number, shape: Shape = {}): Uint8Array {
  return ip(shape, IpProtocol.icmp, Uint8Array.of(type, 0, ~(type << 8) >> 8, ~(type << 8), 0, 0, 0, 0))
}

/** With a checksum that the kernel has not finished: it holds the pseudo-header's sum. */
export function unfinished(packet: Uint8Array): Uint8Array {
  const bytes = packet.slice()
  const { protocol, source, destination, payload } = decodeIpv4(bytes)
  const at = bytes.length - payload.length + (protocol === IpProtocol.tcp ? 16 : 6)
  new DataView(bytes.buffer).setUint16(at, pseudoHeader({ source, destination }, protocol, payload.length))
  return bytes
}

/** As the kernel hands it over, to be cut into segments of so many bytes. */
export function superPacket(packet: Uint8Array, size: number): Uint8Array {
  const { protocol, payload } = decodeIpv4(packet)
  const start = packet.length - payload.length
  const isTcp = protocol === IpProtocol.tcp
  return withHeader(unfinished(packet), { flags: 1, type: isTcp ? 1 : 5, size, start, offset: isTcp ? 16 : 6 })
}

/** The packet's checksums must all be right. */
export function assertRight(packet: Uint8Array): void {
  const { protocol, source, destination, payload, moreFragments, fragmentOffset } = decodeIpv4(packet)
  assert.ok(hasRightChecksum(packet), 'IPv4 header checksum')
  if (moreFragments || fragmentOffset > 0) return
  if (protocol === IpProtocol.udp) {
    const { payload: data } = decodeUdp(payload)
    assert.equal(data.length + 8, payload.length, 'UDP length')
    if (payload[6] === 0 && payload[7] === 0) return
  }
  const pseudo = protocol === IpProtocol.icmp ? 0 : pseudoHeader({ source, destination }, protocol, payload.length)
  assert.equal(checksum(payload, pseudo), 0, `checksum of protocol ${protocol}`)
}

/**
 * What the kernel makes of a packet that is written to the TUN device: the packet, or where it is a super-packet the
 * segments, with IP IDs that count on, PSH on the last and the checksums finished.
 */
export function segmentsOf(written: Uint8Array): Uint8Array[] {
  const { header, packet } = readHeader(written)
  if (header.type === 0) {
    assert.deepEqual(header, none)
    return [packet]
  }
  const { payload: transport, ...fields } = decodeIpv4(packet)
  const isTcp = fields.protocol === IpProtocol.tcp
  assert.ok(hasRightChecksum(packet), 'the super-packet has a right header checksum')
  assert.equal(header.type, isTcp ? 1 : 5)
  assert.equal(header.flags, 1)
  assert.deepEqual([header.start, header.offset], [20, isTcp ? 16 : 6])
  const field = (transport[header.offset]! << 8) | transport[header.offset + 1]!
  assert.equal(field, sum(new Uint8Array(), pseudoHeader(fields, fields.protocol, transport.length)))
  const { payload, ...rest } = isTcp ? decodeTcp(transport) : decodeUdp(transport)
  assert.equal(header.headerLength, packet.length - payload.length)
  const count = Math.ceil(payload.length / header.size)
  assert.ok(count > 1, 'a super-packet stands for several')
  return Array.from({ length: count }, (_, i) => {
    const part = payload.subarray(i * header.size, (i + 1) * header.size)
    const identification = (fields.identification + i) & 0xffff
    const own = { ...fields, identification }
    if (!isTcp) {
      const udp = rest as { sourcePort: number; destinationPort: number }
      return encodeIpv4({ ...own, payload: encodeUdp({ ...udp, payload: part }, fields) })
    }
    const tcp = rest as Omit<Tcp, 'payload'>
    const flags = i === count - 1 ? tcp.flags : tcp.flags & ~(TcpFlag.psh | TcpFlag.fin)
    const sequence = (tcp.sequence + i * header.size) >>> 0
    return encodeIpv4({
      ...own,
      payload: encodeTcp({ ...tcp, flags: i ? flags & ~TcpFlag.cwr : flags, sequence, payload: part }, fields),
    })
  })
}

/** The packet one router on. */
export function routed(packet: Uint8Array): Uint8Array {
  const bytes = packet.slice()
  bytes[8]!--
  const length = (bytes[0]! & 15) * 4
  bytes.fill(0, 10, 12)
  new DataView(bytes.buffer).setUint16(10, checksum(bytes.subarray(0, length)))
  return bytes
}

/** So many bytes, of which no two places look alike. */
export function text(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + seed * 31) & 0xff)
}

/** Trains as UDP_GRO makes them: datagrams of one length, the last may be shorter. */
export function trainOf(datagrams: readonly Uint8Array[]): { bytes: Uint8Array; segment?: number } {
  const bytes = new Uint8Array(Buffer.concat(datagrams))
  return datagrams.length > 1 ? { bytes, segment: datagrams[0]!.length } : { bytes }
}
