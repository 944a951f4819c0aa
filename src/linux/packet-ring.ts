/**
 * Frames in memory that the kernel shares with us, copied there as they pass: PACKET_RX_RING with TPACKET_V2,
 * Documentation/networking/packet_mmap.rst.
 *
 *   slot   struct tpacket2_hdr   struct sockaddr_ll    … the frame
 *          status ─ whose it is: the kernel's, or ours until we say that we have read it
 *
 * A frame that is longer than a slot comes by recvmmsg(2) as well, and its slot says so.
 */
import { sys } from '#sys'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { type Datagram, receiveDatagrams } from './datagrams.ts'
import { succeed } from './errno.ts'
import { type FixedMemory, live } from './sys.live.ts'

const SOL_SOCKET = 1
const SCM_TIMESTAMPNS = 35
const SOL_PACKET = 263
const PACKET_RX_RING = 5
const PACKET_COPY_THRESH = 7
const PACKET_AUXDATA = 8
const PACKET_VERSION = 10
const TPACKET_V2 = 1

const SLOT = 4096
const SLOTS = 1024
const BLOCK = 64 * SLOT

/** struct tpacket2_hdr, and the address behind it. */
const HEADER = { status: 0, length: 4, kept: 8, frame: 12, seconds: 16, nanoseconds: 20, vlanTag: 24, vlanType: 26 }
const ADDRESS = { at: 32, size: 20 }
const TP_STATUS_KERNEL = 0
const TP_STATUS_USER = 1
const TP_STATUS_COPY = 2
/** struct tpacket_auxdata has the same bits and values. */
const AUXDATA = { size: 20, status: 0, vlanTag: 16, vlanType: 18 }

export class PacketRing {
  readonly #socket: number
  readonly #memory: FixedMemory
  readonly #view: DataView
  #next = 0
  /** Long frames, in the order of their slots. */
  #long: Uint8Array[] = []

  /** Of a packet socket that is not bound yet. */
  constructor(socket: number, call: string) {
    this.#socket = socket
    const set = (option: number, ...values: number[]) =>
      succeed(sys.setsockopt(socket, SOL_PACKET, option, new Uint8Array(Uint32Array.from(values).buffer)), call)
    set(PACKET_VERSION, TPACKET_V2)
    set(PACKET_COPY_THRESH, 1)
    // struct tpacket_req
    set(PACKET_RX_RING, BLOCK, (SLOT * SLOTS) / BLOCK, SLOT, SLOTS)
    const memory = live.map(socket, SLOT * SLOTS)
    if (typeof memory === 'number') succeed(memory, call)
    this.#memory = memory as FixedMemory
    this.#view = new DataView(this.#memory.bytes.buffer)
  }

  /** As receiveDatagrams, of all that is there. */
  read(most: number): Datagram[] | number {
    const found: Datagram[] = []
    for (let at = this.#next * SLOT; this.#status(at) & TP_STATUS_USER; at = this.#next * SLOT) {
      found.push(this.#datagramAt(at, most))
      this.#view.setUint32(at + HEADER.status, TP_STATUS_KERNEL, LITTLE_ENDIAN)
      this.#next = (this.#next + 1) % SLOTS
    }
    if (found.length > 0) return found
    // Nothing in the ring: an error, which reading clears.
    const others = receiveDatagrams(this.#socket, most)
    return typeof others === 'number' ? others : []
  }

  close(): void {
    live.unmap(this.#memory)
  }

  #status(at: number): number {
    return this.#view.getUint32(at + HEADER.status, LITTLE_ENDIAN)
  }

  #datagramAt(at: number, most: number): Datagram {
    const header = new DataView(this.#memory.bytes.slice(at, at + ADDRESS.at + ADDRESS.size).buffer)
    const start = at + header.getUint16(HEADER.frame, LITTLE_ENDIAN)
    const kept = Math.min(most, header.getUint32(HEADER.kept, LITTLE_ENDIAN))
    const isLong = (header.getUint32(HEADER.status, LITTLE_ENDIAN) & TP_STATUS_COPY) !== 0
    return {
      bytes: (isLong ? this.#takeLong(most) : undefined) ?? this.#memory.bytes.slice(start, start + kept),
      length: header.getUint32(HEADER.length, LITTLE_ENDIAN),
      address: new DataView(header.buffer, ADDRESS.at),
      control: (level, type) => controlOf(header, level, type),
    }
  }

  /** Nothing but the bytes: the kernel leaves the address of such a copy empty. */
  #takeLong(most: number): Uint8Array | undefined {
    if (this.#long.length === 0) {
      const received = receiveDatagrams(this.#socket, most)
      if (typeof received !== 'number') this.#long = received.map(({ bytes }) => bytes.slice())
    }
    return this.#long.shift()
  }
}

/** What a control message would say. */
function controlOf(header: DataView, level: number, type: number): DataView | undefined {
  const u32 = (at: number) => header.getUint32(at, LITTLE_ENDIAN)
  if (level === SOL_SOCKET && type === SCM_TIMESTAMPNS) {
    const time = new DataView(new ArrayBuffer(16))
    time.setBigInt64(0, BigInt(u32(HEADER.seconds)), LITTLE_ENDIAN)
    time.setBigInt64(8, BigInt(u32(HEADER.nanoseconds)), LITTLE_ENDIAN)
    return time
  }
  if (level !== SOL_PACKET || type !== PACKET_AUXDATA) return undefined
  const aux = new DataView(new ArrayBuffer(AUXDATA.size))
  aux.setUint32(AUXDATA.status, u32(HEADER.status), LITTLE_ENDIAN)
  aux.setUint16(AUXDATA.vlanTag, header.getUint16(HEADER.vlanTag, LITTLE_ENDIAN), LITTLE_ENDIAN)
  aux.setUint16(AUXDATA.vlanType, header.getUint16(HEADER.vlanType, LITTLE_ENDIAN), LITTLE_ENDIAN)
  return aux
}
