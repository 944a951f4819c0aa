/**
 * Frames, sent and seen: packet(7), linux/if_packet.h.
 *
 * A capture sees what the link receives and what it sends, our own frames too. The kernel takes a VLAN tag out of the frame
 * on the way and tells it beside; it is put back, so that bytes are those on the wire.
 */
import { sys } from '#sys'
import type { CapturedPacket, CaptureOptions, Packets, PacketType, Subscription } from '../kernel/live.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { type Datagram, MAX_DATAGRAM, receiveDatagrams } from './datagrams.ts'
import { succeed } from './errno.ts'
import { linkNames, requireLinkIndex } from './netlink/link-index.ts'
import type { Namespace } from './netns.ts'
import { PacketRing } from './packet-ring.ts'
import { reactor } from './reactor.ts'
import { live } from './sys.live.ts'

const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const ETH_P_ALL = 3
/** struct sockaddr_ll */
const SOCKADDR_LL_SIZE = 20
const ADDRESS = { protocol: 2, index: 4, hardwareType: 8, packetType: 10 }

const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
/** SO_TIMESTAMPNS, and SCM_TIMESTAMPNS. */
const SO_TIMESTAMPNS = 35
const SOL_PACKET = 263
const PACKET_AUXDATA = 8

/** struct tpacket_auxdata */
const AUXDATA = { status: 0, length: 4, vlanTag: 16, vlanType: 18 }
const TP_STATUS_VLAN_VALID = 1 << 4
const TP_STATUS_VLAN_TPID_VALID = 1 << 6
const ETH_P_8021Q = 0x8100
/** ARPHRD_ETHER, ARPHRD_LOOPBACK: links with Ethernet headers, linux/if_arp.h. */
const ETHERNET_TYPES = [1, 772]
/** Where the tag stands in a frame: behind both MAC addresses. */
const TAG_AT = 12
const TAG_SIZE = 4

/** By number, PACKET_HOST on. */
const PACKET_TYPES: readonly PacketType[] = ['host', 'broadcast', 'multicast', 'otherhost', 'outgoing']
/** Frames that the kernel keeps for us while we are busy: bytes. */
const RECEIVE_BUFFER = 8 << 20

export class LinuxPackets implements Packets {
  readonly #namespace: Namespace
  #sender: number | undefined

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  send(link: string, frame: Uint8Array): void {
    const call = `send a frame on link "${link}"`
    this.#sender ??= this.#open(call)
    const address = linkAddress(0, requireLinkIndex(this.#sender, link, call))
    succeed(sys.sendto(this.#sender, frame, frame.length, 0, address), call)
  }

  capture(
    { link, snapLength = MAX_DATAGRAM, copied = false }: CaptureOptions,
    onPacket: (packet: CapturedPacket) => void,
  ): Subscription {
    const call = link === undefined ? 'capture' : `capture on link "${link}"`
    const socket = this.#open(call)
    let open = true
    let remove = () => {}
    const close = () => {
      if (!open) return
      open = false
      remove()
      ring?.close()
      live.closeInBackground(socket)
    }
    let ring: PacketRing | undefined
    try {
      const index = link === undefined ? 0 : requireLinkIndex(socket, link, call)
      setOption(socket, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
      setOption(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1)
      setOption(socket, SOL_PACKET, PACKET_AUXDATA, 1)
      if (copied) ring = new PacketRing(socket, call)
      // Not before: a socket that has a protocol and no link yet receives from all.
      succeed(sys.bind(socket, linkAddress(ETH_P_ALL, index)), call)
      remove = reactor.add(socket, () => {
        const datagrams = ring ? ring.read(snapLength) : receiveDatagrams(socket, snapLength)
        if (typeof datagrams === 'number') return // ENETDOWN once when the link goes down: reading it has cleared it
        const nameOf = linkNames(socket)
        // All are read before the first is handed over: a callback may receive on its own.
        const packets = datagrams.map((datagram) => readPacket(datagram, nameOf, snapLength))
        for (const packet of packets) if (open) onPacket(packet)
      })
    } catch (error) {
      close()
      throw error
    }
    return { close }
  }

  close(): void {
    if (this.#sender !== undefined) live.closeInBackground(this.#sender)
    this.#sender = undefined
  }

  #open(call: string): number {
    return succeed(
      this.#namespace.inside(() => sys.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      call,
    )
  }
}

function readPacket(datagram: Datagram, nameOf: (index: number) => string, snapLength: number): CapturedPacket {
  const { address, bytes, length } = datagram
  const tag = readTag(datagram)
  const frame = tag ? withTag(bytes, tag).subarray(0, snapLength) : bytes.slice()
  const time = datagram.control(SOL_SOCKET, SO_TIMESTAMPNS)
  return {
    bytes: frame,
    length: length + (tag ? TAG_SIZE : 0),
    link: nameOf(address.getInt32(ADDRESS.index, LITTLE_ENDIAN)),
    packetType: PACKET_TYPES[address.getUint8(ADDRESS.packetType)] ?? 'otherhost',
    time: time
      ? time.getBigInt64(0, LITTLE_ENDIAN) * 1_000_000_000n + time.getBigInt64(8, LITTLE_ENDIAN)
      : sys.clock(0),
  }
}

/** The tag that was taken out: its type and its value, 4 bytes. */
function readTag({ address, bytes, control }: Datagram): Uint8Array | undefined {
  const aux = control(SOL_PACKET, PACKET_AUXDATA)
  const status = aux?.getUint32(AUXDATA.status, LITTLE_ENDIAN) ?? 0
  if (!aux || !(status & TP_STATUS_VLAN_VALID) || bytes.length < TAG_AT) return undefined
  if (!ETHERNET_TYPES.includes(address.getUint16(ADDRESS.hardwareType, LITTLE_ENDIAN))) return undefined
  const type = status & TP_STATUS_VLAN_TPID_VALID ? aux.getUint16(AUXDATA.vlanType, LITTLE_ENDIAN) : ETH_P_8021Q
  const value = aux.getUint16(AUXDATA.vlanTag, LITTLE_ENDIAN)
  return Uint8Array.of(type >> 8, type, value >> 8, value)
}

function withTag(bytes: Uint8Array, tag: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.length + TAG_SIZE)
  frame.set(bytes.subarray(0, TAG_AT))
  frame.set(tag, TAG_AT)
  frame.set(bytes.subarray(TAG_AT), TAG_AT + TAG_SIZE)
  return frame
}

function linkAddress(protocol: number, index: number): Uint8Array {
  const address = new Uint8Array(SOCKADDR_LL_SIZE)
  const view = new DataView(address.buffer)
  view.setUint16(0, AF_PACKET, LITTLE_ENDIAN)
  view.setUint16(ADDRESS.protocol, protocol)
  view.setInt32(ADDRESS.index, index, LITTLE_ENDIAN)
  return address
}

function setOption(socket: number, level: number, option: number, value: number): void {
  sys.setsockopt(socket, level, option, new Uint8Array(Int32Array.of(value).buffer))
}
