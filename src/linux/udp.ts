/**
 * UDP sockets: udp(7), and IP_RECVERR of ip(7): ICMP errors about our datagrams wait in a queue of their own, with who sent
 * them.
 */
import { sys } from '#sys'
import { parseIp } from '../address/ip.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Endpoint, Sockets, UdpError, UdpEvents, UdpSocket } from '../kernel/socket.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { DATAGRAMS_AT_ONCE, type Datagram, MAX_DATAGRAM, receiveDatagrams } from './datagrams.ts'
import { EAGAIN, errnoName, succeed } from './errno.ts'
import type { Namespace } from './netns.ts'
import {
  bindingAddress,
  bindSocket,
  localEndpoint,
  openSocket,
  SOCK_DGRAM,
  SOL_IP,
  SOL_IPV6,
  setOption,
} from './open-socket.ts'
import { reactor } from './reactor.ts'
import { decodeSocketAddress, encodeSocketAddress } from './socket-address.ts'
import { setSocketOptions } from './socket-options.ts'

const IP_TTL = 2
const IP_RECVERR = 11
const IP_RECVTTL = 12
const IPV6_RECVERR = 25
const IPV6_RECVHOPLIMIT = 51
const IPV6_HOPLIMIT = 52
const MSG_ERRQUEUE = 0x2000
/** With so many calls a flood is not read to its end. */
const MOST_TURNS = 32

/** struct sock_extended_err, linux/errqueue.h; the address of who tells it follows. */
const ERROR = { errno: 0, origin: 4, type: 5, code: 6, info: 8, offender: 16 }
const SO_EE_ORIGIN_ICMP = 2
const SO_EE_ORIGIN_ICMP6 = 3

export function bindUdp(
  namespace: Namespace,
  { address: text, family, port = 0, options }: Parameters<Sockets['bindUdp']>[0],
  events: UdpEvents,
): UdpSocket {
  const call = `bind a UDP socket to ${text ?? 'any address'}, port ${port}`
  const address = bindingAddress(text)
  const socket = openSocket(namespace, SOCK_DGRAM, address ?? family, call)
  const { descriptor, domain } = socket
  let open = true
  try {
    setOption(descriptor, SOL_IP, IP_RECVERR, 1)
    setOption(descriptor, SOL_IP, IP_RECVTTL, 1)
    // Refused by one of AF_INET, which needs them not.
    setOption(descriptor, SOL_IPV6, IPV6_RECVERR, 1)
    setOption(descriptor, SOL_IPV6, IPV6_RECVHOPLIMIT, 1)
    if (options) setSocketOptions(socket, options, call)
    succeed(bindSocket(socket, address, port), call)
    const local = localEndpoint(descriptor, call)
    /** Whether there may be more. */
    const read = () => {
      const datagrams = receiveDatagrams(descriptor)
      // An error of before is told instead, which reading has cleared; what it is about waits in the queue.
      if (typeof datagrams === 'number') hearErrors()
      else hear(datagrams)
      return typeof datagrams !== 'number' && datagrams.length === DATAGRAMS_AT_ONCE
    }
    const remove = reactor.add(descriptor, read)
    const hear = (datagrams: readonly Datagram[]) => {
      // All are read before the first is handed over: a callback may receive on its own.
      const heard = datagrams.map(
        (each) => [decodeSocketAddress(each.address), each.bytes.slice(), ttlOf(each)] as const,
      )
      for (const [from, bytes, ttl] of heard) if (open) events.datagram?.(from, bytes, ttl)
    }
    const hearErrors = () => {
      const errors = receiveDatagrams(descriptor, MAX_DATAGRAM, MSG_ERRQUEUE)
      if (typeof errors === 'number') return
      const heard = errors.map(readError)
      for (const error of heard) if (open && error) events.error?.(error)
    }
    return {
      local,
      send(to, bytes) {
        const sending = `send a datagram to ${to.address}, port ${to.port}`
        if (!open) throw new KernelError('EBADF', sending, 'the socket is closed')
        succeed(sendDatagram(descriptor, domain, to, bytes), sending)
      },
      receive() {
        for (let turns = MOST_TURNS; open && turns > 0 && read(); turns--);
      },
      close() {
        if (!open) return
        open = false
        remove()
        sys.close(descriptor)
      },
    }
  } catch (error) {
    sys.close(descriptor)
    throw error
  }
}

/** A call that finds an error of before tells that one and sends nothing: then it is made again. */
function sendDatagram(descriptor: number, domain: number, to: Endpoint, bytes: Uint8Array): number {
  const address = encodeSocketAddress(domain, parseIp(to.address), to.port)
  const send = () => sys.sendto(descriptor, bytes, bytes.length, 0, address)
  const result = send()
  return result >= 0 || result === -EAGAIN ? result : send()
}

/** An int of IP_TTL or IPV6_HOPLIMIT is with each, since the socket has asked for it. */
function ttlOf({ control }: Datagram): number {
  return (control(SOL_IP, IP_TTL) ?? control(SOL_IPV6, IPV6_HOPLIMIT))!.getInt32(0, LITTLE_ENDIAN)
}

function readError({ address, control }: Datagram): UdpError | undefined {
  const error = control(SOL_IP, IP_RECVERR) ?? control(SOL_IPV6, IPV6_RECVERR)
  if (!error) return undefined
  const origin = error.getUint8(ERROR.origin)
  // What the kernel itself says to a call, the call has answered.
  if (origin !== SO_EE_ORIGIN_ICMP && origin !== SO_EE_ORIGIN_ICMP6) return undefined
  return {
    errno: errnoName(error.getUint32(ERROR.errno, LITTLE_ENDIAN)),
    from: decodeSocketAddress(error, ERROR.offender).address,
    type: error.getUint8(ERROR.type),
    code: error.getUint8(ERROR.code),
    mtu: error.getUint32(ERROR.info, LITTLE_ENDIAN),
    to: decodeSocketAddress(address),
  }
}
