/**
 * UDP sockets: udp(7), and IP_RECVERR of ip(7): ICMP errors about our datagrams wait in a queue of their own, with who sent
 * them.
 */
import { sys } from '#sys'
import { parseIp } from '../address/ip.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Endpoint, UdpError, UdpEvents, UdpSocket } from '../kernel/socket.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { type Datagram, MAX_DATAGRAM, receiveDatagrams } from './datagrams.ts'
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

const IP_RECVERR = 11
const IPV6_RECVERR = 25
const MSG_ERRQUEUE = 0x2000

/** struct sock_extended_err, linux/errqueue.h; the address of who tells it follows. */
const ERROR = { errno: 0, origin: 4, type: 5, code: 6, info: 8, offender: 16 }
const SO_EE_ORIGIN_ICMP = 2
const SO_EE_ORIGIN_ICMP6 = 3

export function bindUdp(
  namespace: Namespace,
  { address: text, port = 0 }: { readonly address?: string; readonly port?: number },
  events: UdpEvents,
): UdpSocket {
  const call = `bind a UDP socket to ${text ?? 'any address'}, port ${port}`
  const address = bindingAddress(text)
  const socket = openSocket(namespace, SOCK_DGRAM, address, call)
  const { descriptor, domain } = socket
  let open = true
  try {
    setOption(descriptor, SOL_IP, IP_RECVERR, 1)
    setOption(descriptor, SOL_IPV6, IPV6_RECVERR, 1) // refused by one of AF_INET, which needs it not
    succeed(bindSocket(socket, address, port), call)
    const local = localEndpoint(descriptor, call)
    const remove = reactor.add(descriptor, () => {
      const datagrams = receiveDatagrams(descriptor)
      // An error of before is told instead, which reading has cleared; what it is about waits in the queue.
      if (typeof datagrams === 'number') hearErrors()
      else hear(datagrams)
    })
    const hear = (datagrams: readonly Datagram[]) => {
      // All are read before the first is handed over: a callback may receive on its own.
      const heard = datagrams.map(({ address: from, bytes }) => [decodeSocketAddress(from), bytes.slice()] as const)
      for (const [from, bytes] of heard) if (open) events.datagram?.(from, bytes)
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
