/**
 * Keeps notifications of our own routes out of a netlink socket: a classic BPF program, socket(7), net/core/filter.c.
 *
 * Whoever writes a hundred thousand routes is told of each. To leave them out behind the socket is too late: they fill its queue
 * faster than it is read, and what others do gets lost.
 */
import { sys } from '#sys'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import { fixedMemory } from './sys.live.ts'

const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26

/** linux/filter.h: BPF_LD | BPF_H or BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K. */
const LOAD_16 = 0x28
const LOAD_32 = 0x20
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06
const EVERYTHING = 0xffff_ffff

/** struct nlmsghdr */
const TYPE_AT = 4
const PORT_AT = 12
const RTM_NEWROUTE = 24
const RTM_DELROUTE = 25

/** struct sock_filter: code (2), jump if true (1), jump if false (1), k (4). struct sock_fprog: count (2), pointer at 8. */
const INSTRUCTION_SIZE = 8
const PROGRAM_SIZE = 16

/** The kernel copies it. */
const memory = fixedMemory(PROGRAM_SIZE + 8 * INSTRUCTION_SIZE)

/** What the kernel compares is in network order, what the header has is not. */
const swapped16 = (value: number) => (LITTLE_ENDIAN ? ((value & 0xff) << 8) | (value >> 8) : value)

function swapped32(value: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, value, LITTLE_ENDIAN)
  return view.getUint32(0)
}

/** From now on the socket is not told of routes that were changed by way of the netlink socket with this port. */
export function leaveOutRoutesOf(port: number, descriptor: number, call: string): void {
  const program = [
    [LOAD_16, 0, 0, TYPE_AT],
    [JUMP_IF_EQUAL, 1, 0, swapped16(RTM_NEWROUTE)],
    [JUMP_IF_EQUAL, 0, 2, swapped16(RTM_DELROUTE)],
    [LOAD_32, 0, 0, PORT_AT],
    [JUMP_IF_EQUAL, 1, 0, swapped32(port)],
    [RETURN, 0, 0, EVERYTHING],
    [RETURN, 0, 0, 0],
  ] as const
  const { address, bytes } = memory
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const [i, [code, ifTrue, ifFalse, k]] of program.entries()) {
    const at = PROGRAM_SIZE + i * INSTRUCTION_SIZE
    view.setUint16(at, code, LITTLE_ENDIAN)
    view.setUint8(at + 2, ifTrue)
    view.setUint8(at + 3, ifFalse)
    view.setUint32(at + 4, k, LITTLE_ENDIAN)
  }
  view.setUint16(0, program.length, LITTLE_ENDIAN)
  view.setBigUint64(8, address + BigInt(PROGRAM_SIZE), LITTLE_ENDIAN)
  succeed(sys.setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, bytes.subarray(0, PROGRAM_SIZE)), call)
}
