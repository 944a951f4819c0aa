/**
 * Datagrams with what the kernel tells beside them, many with one call: recvmmsg(2), cmsg(3).
 *
 *   struct mmsghdr     name ──> where it came from       control ──> messages such as time and TTL
 *                      iov  ──> its bytes
 *
 * One set of buffers for the whole process: what is received is handed over, and copied where it is kept, before the next call.
 */
import { LITTLE_ENDIAN } from './byte-order.ts'
import { type FixedMemory, fixedMemory, live } from './sys.live.ts'

/** So many with one call; a callback handles no more, and others have their turn. */
export const DATAGRAMS_AT_ONCE = 32
/** No packet is longer: a whole one before the device cuts it up, and its link-layer header. */
export const MAX_DATAGRAM = 65_536 + 64

const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20

/** struct mmsghdr and struct iovec of 64-bit machines. */
const HEADER_SIZE = 64
const HEADER = { name: 0, nameLength: 8, iov: 16, iovLength: 24, control: 32, controlLength: 40, length: 56 }
const IOV_SIZE = 16
const NAME_SIZE = 32
const CONTROL_SIZE = 128
/** struct cmsghdr: length, level, type; then the value, padded to 8. */
const CONTROL_HEADER_SIZE = 16

const offset = {
  iovs: DATAGRAMS_AT_ONCE * HEADER_SIZE,
  names: DATAGRAMS_AT_ONCE * (HEADER_SIZE + IOV_SIZE),
  controls: DATAGRAMS_AT_ONCE * (HEADER_SIZE + IOV_SIZE + NAME_SIZE),
}

/** All of it is the buffers' own, and valid until more is received. */
export interface Datagram {
  readonly bytes: Uint8Array
  /** Bytes that it had; more than there are, where it was cut off. */
  readonly length: number
  /** The sender's address, a struct sockaddr of some kind. */
  readonly address: DataView
  /** The value of a control message; undefined when there is none such. */
  control(level: number, type: number): DataView | undefined
}

let buffers: { readonly headers: FixedMemory; readonly data: FixedMemory } | undefined

/**
 * The next datagrams, none when there are none; of each at most so many bytes. A negated errno when there is an error instead.
 * `flags`: MSG_*, besides those that are always set.
 */
export function receiveDatagrams(descriptor: number, most = MAX_DATAGRAM, flags = 0): Datagram[] | number {
  buffers ??= allocate()
  const { headers, data } = buffers
  prepare(headers, Math.min(most, MAX_DATAGRAM))
  const count = live.recvmmsg(descriptor, headers, DATAGRAMS_AT_ONCE, MSG_DONTWAIT | MSG_TRUNC | flags)
  if (count < 0) return count
  const view = new DataView(headers.bytes.buffer)
  return Array.from({ length: count }, (_, i): Datagram => {
    const length = view.getUint32(i * HEADER_SIZE + HEADER.length, LITTLE_ENDIAN)
    const start = i * MAX_DATAGRAM
    const controlAt = offset.controls + i * CONTROL_SIZE
    const controlLength = Number(view.getBigUint64(i * HEADER_SIZE + HEADER.controlLength, LITTLE_ENDIAN))
    return {
      bytes: data.bytes.subarray(start, start + Math.min(length, most, MAX_DATAGRAM)),
      length,
      address: new DataView(view.buffer, offset.names + i * NAME_SIZE, NAME_SIZE),
      control: (level, type) => findControl(view, controlAt, controlAt + controlLength, level, type),
    }
  })
}

function allocate(): NonNullable<typeof buffers> {
  const headers = fixedMemory(DATAGRAMS_AT_ONCE * (HEADER_SIZE + IOV_SIZE + NAME_SIZE + CONTROL_SIZE))
  const data = fixedMemory(DATAGRAMS_AT_ONCE * MAX_DATAGRAM)
  const view = new DataView(headers.bytes.buffer)
  for (let i = 0; i < DATAGRAMS_AT_ONCE; i++) {
    const at = i * HEADER_SIZE
    const iov = offset.iovs + i * IOV_SIZE
    const pointer = (where: number, memory: FixedMemory, to: number) =>
      view.setBigUint64(where, memory.address + BigInt(to), LITTLE_ENDIAN)
    pointer(at + HEADER.name, headers, offset.names + i * NAME_SIZE)
    pointer(at + HEADER.iov, headers, iov)
    view.setBigUint64(at + HEADER.iovLength, 1n, LITTLE_ENDIAN)
    pointer(at + HEADER.control, headers, offset.controls + i * CONTROL_SIZE)
    pointer(iov, data, i * MAX_DATAGRAM)
  }
  return { headers, data }
}

/** The kernel writes the lengths of what it gave over those of what there was room for. */
function prepare({ bytes }: FixedMemory, most: number): void {
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < DATAGRAMS_AT_ONCE; i++) {
    view.setUint32(i * HEADER_SIZE + HEADER.nameLength, NAME_SIZE, LITTLE_ENDIAN)
    view.setBigUint64(i * HEADER_SIZE + HEADER.controlLength, BigInt(CONTROL_SIZE), LITTLE_ENDIAN)
    view.setBigUint64(offset.iovs + i * IOV_SIZE + 8, BigInt(most), LITTLE_ENDIAN)
  }
}

function findControl(view: DataView, at: number, end: number, level: number, type: number): DataView | undefined {
  while (at + CONTROL_HEADER_SIZE <= end) {
    const length = Number(view.getBigUint64(at, LITTLE_ENDIAN))
    if (length < CONTROL_HEADER_SIZE || at + length > end) return undefined
    if (view.getInt32(at + 8, LITTLE_ENDIAN) === level && view.getInt32(at + 12, LITTLE_ENDIAN) === type) {
      return new DataView(view.buffer, at + CONTROL_HEADER_SIZE, length - CONTROL_HEADER_SIZE)
    }
    at += (length + 7) & ~7
  }
  return undefined
}
