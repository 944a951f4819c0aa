/**
 * The kernel interface's data path, of the real kernel: a TUN device with offloads, a UDP socket that takes trains, and
 * a raw socket for ICMP.
 *
 * Descriptors are opened in one thread and used in another, since their numbers belong to the process. The thread that works
 * waits in poll(2) and hears nothing else; an eventfd among what it waits for is how it is called.
 */
import { sys } from '#sys'
import { parseIpv4 } from '../address/ipv4.ts'
import { type DataPath, EINTR, Ready } from '../kernel/data-path.ts'
import { KernelError } from '../kernel/errors.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import type { Namespace } from './netns.ts'
import { SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOL_IP, SOL_SOCKET, setOption } from './open-socket.ts'
import { AF_INET, encodeSocketAddress } from './socket-address.ts'
import { addressed } from './sys.addressed.ts'
import { fixedMemory, live } from './sys.live.ts'
import { keepTun, openTunQueue } from './tun-queue.ts'

const SOCK_RAW = 3
const IPPROTO_ICMP = 1
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
/** Bytes that wait in either direction. */
const SOCKET_BUFFER = 8 << 20
/** linux/udp.h */
const SOL_UDP = 17
const UDP_GRO = 104
/** linux/icmp.h: a bit for each type that is not wanted. */
const SOL_RAW = 255
const ICMP_FILTER = 1
const ALL_TYPES = -1

/** linux/in.h */
const IP_MTU_DISCOVER = 10
const IP_PMTUDISC_WANT = 1
const IP_PMTUDISC_DO = 2

const SOCKADDR_IN_SIZE = 16
const MSG_DONTWAIT = 0x40

/** struct pollfd: descriptor, events wanted, events seen. */
const POLLFD_SIZE = 8
const POLLIN = 1
const POLLOUT = 4
/** Their places in the array; the TUN device is the last, so that it can be left out. */
const CONTROL = 0
const SOCKET = 1
const TUN = 2

/** Numbers, which another thread of the process can be told. */
export interface OpenDataPath {
  readonly tun: number
  readonly socket: number
  readonly icmp: number
  readonly control: number
  /** Whether the TUN device gives and takes super-packets of UDP. */
  readonly hasUdp: boolean
}

export interface DataPathOptions {
  /** Name of the TUN device; made where it is not there. */
  readonly tun: string
  /** The socket's, which must be one of the node's own. */
  readonly address: string
  readonly port: number
}

/** Opens all of it in the namespace. KernelError EBUSY while another process has the TUN device, EADDRINUSE the port. */
export function openDataPath({ tun, address, port }: DataPathOptions, namespace: Namespace): OpenDataPath {
  if (!LITTLE_ENDIAN) {
    throw new KernelError('EOPNOTSUPP', `open TUN device "${tun}"`, 'only for machines with the lowest byte first')
  }
  const opened: number[] = []
  const open = (descriptor: number, call: string) => {
    opened.push(succeed(descriptor, call))
    return descriptor
  }
  try {
    const queue = openTunQueue(tun, namespace)
    opened.push(queue.descriptor)
    const binding = `bind a UDP socket to ${address}, port ${port}`
    const socket = open(openSocket(namespace, SOCK_DGRAM, 0), binding)
    setOption(socket, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER)
    setOption(socket, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER)
    succeed(setOption(socket, SOL_UDP, UDP_GRO, 1), binding)
    succeed(sys.bind(socket, encodeSocketAddress(AF_INET, parseIpv4(address), port)), binding)
    const icmp = open(openSocket(namespace, SOCK_RAW, IPPROTO_ICMP), 'open a socket for ICMP')
    succeed(setOption(icmp, SOL_RAW, ICMP_FILTER, ALL_TYPES), 'close the socket for ICMP to what comes')
    const control = open(live.eventfd(EFD_NONBLOCK | EFD_CLOEXEC), 'open an eventfd')
    keepTun(queue, `keep TUN device "${tun}"`) // only now: what fails leaves nothing behind
    return { tun: queue.descriptor, socket, icmp, control, hasUdp: queue.hasUdp }
  } catch (error) {
    for (const descriptor of opened) sys.close(descriptor)
    throw error
  }
}

/** Not before the thread that uses it has ended. */
export function closeDataPath({ tun, socket, icmp, control }: OpenDataPath): void {
  for (const descriptor of [tun, socket, icmp, control]) sys.close(descriptor)
}

/** Makes `wait` answer Ready.control. */
export function callDataPath({ control }: OpenDataPath): void {
  sys.write(control, new Uint8Array(BigUint64Array.of(1n).buffer), 8)
}

/** `memory`: address of the byte at offset 0. */
export function linuxDataPath(open: OpenDataPath, memory: number): DataPath {
  const { tun, socket, icmp, control } = open
  const { address, bytes } = fixedMemory(3 * POLLFD_SIZE)
  const fds = Number(address)
  const descriptors = new Int32Array(bytes.buffer, bytes.byteOffset)
  const events = new Int16Array(bytes.buffer, bytes.byteOffset)
  for (const [i, descriptor] of [control, socket, tun].entries()) {
    descriptors[2 * i] = descriptor
    events[4 * i + 2] = POLLIN
  }
  const count = new Uint8Array(8)
  const discovery = mtuDiscovery(socket)
  return {
    readTun: (at, length) => addressed.read(tun, memory + at, length),
    writeTun: (iovecs, pieces) => addressed.writev(tun, memory + iovecs, pieces),
    send(messages, most, fragment) {
      discovery.fragment(fragment)
      return addressed.sendmmsg(socket, memory + messages, most, MSG_DONTWAIT)
    },
    receive: (messages, most) => addressed.recvmmsg(socket, memory + messages, most, MSG_DONTWAIT),
    sendIcmp: (at, length, address) =>
      addressed.sendto(icmp, memory + at, length, MSG_DONTWAIT, memory + address, SOCKADDR_IN_SIZE),
    wait(sending) {
      events[4 * SOCKET + 2] = sending ? POLLIN | POLLOUT : POLLIN
      events[4 * TUN + 3] = 0
      const result = addressed.poll(fds, sending ? TUN : TUN + 1, -1)
      if (result < 0) return result === -EINTR ? 0 : succeed(result, 'wait for packets')
      const onSocket = events[4 * SOCKET + 3]!
      let ready = (onSocket & ~POLLOUT ? Ready.socket : 0) | (onSocket & POLLOUT ? Ready.writable : 0)
      if (events[4 * TUN + 3]) ready |= Ready.tun
      if (events[4 * CONTROL + 3]) {
        sys.read(control, count)
        ready |= Ready.control
      }
      return ready
    },
  }
}

/**
 * The don't-fragment bit is set in every datagram that fits, as a socket's default has it. But that default forgets it
 * in trains, which are longer than the MTU until they are cut (net/ipv4/ip_output.c, __ip_make_skb). So it is demanded,
 * but for datagrams that are to be fragmented. Where an administrator wants none (ip_no_pmtu_disc), none is.
 */
function mtuDiscovery(socket: number): { fragment(wanted: boolean): void } {
  const value = new Uint8Array(Int32Array.BYTES_PER_ELEMENT)
  live.getsockopt(socket, SOL_IP, IP_MTU_DISCOVER, value)
  if (value[0] !== IP_PMTUDISC_WANT) return { fragment: () => {} }
  let fragments = true
  return {
    fragment(wanted) {
      if (wanted === fragments) return
      fragments = wanted
      setOption(socket, SOL_IP, IP_MTU_DISCOVER, wanted ? IP_PMTUDISC_WANT : IP_PMTUDISC_DO)
    },
  }
}

function openSocket(namespace: Namespace, type: number, protocol: number): number {
  return namespace.inside(() => sys.socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol))
}
