/**
 * ping: one echo request and what comes back. RFC 792, RFC 4443 §4; raw(7).
 *
 * A raw socket sees all the ICMP of its namespace: the reply with our identifier, and the errors that quote our request.
 */
import { sys } from '#sys'
import { familyOf, formatIp, type Ip, parseIp } from '../address/ip.ts'
import type { EchoAnswer, EchoRequest } from '../kernel/live.ts'
import { DecodeError } from '../wire/errors.ts'
import { decodeIcmp, encodeIcmp, type Icmp, UnreachableCode } from '../wire/icmp.ts'
import { decodeIcmpv6, encodeIcmpv6, type Icmpv6 } from '../wire/icmpv6.ts'
import { decodeIpv4, decodeIpv4Header } from '../wire/ipv4.ts'
import { decodeIpv6Header } from '../wire/ipv6.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { type Datagram, receiveDatagrams } from './datagrams.ts'
import { errnoName, succeed } from './errno.ts'
import type { Namespace } from './netns.ts'
import { reactor } from './reactor.ts'

const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const CLOCK_MONOTONIC = 1
const IPPROTO_IPV6 = 41
const IPV6_RECVHOPLIMIT = 51
const IPV6_HOPLIMIT = 52
const IPV6_DONTFRAG = 62
const PMTUDISC_DONT = 0
const PMTUDISC_DO = 2

const DEFAULT_SIZE = 56
const DEFAULT_TIMEOUT = 1000
const DEFAULT_SEQUENCE = 1

/** What differs between the families: linux/in.h, linux/in6.h. */
const FAMILIES = {
  ipv4: { domain: 2, protocol: 1, level: 0, ttl: 2, mtuDiscover: 10, addressSize: 16, addressAt: 4, read: readIpv4 },
  ipv6: {
    domain: 10,
    protocol: 58,
    level: IPPROTO_IPV6,
    ttl: 16,
    mtuDiscover: 23,
    addressSize: 28,
    addressAt: 8,
    read: readIpv6,
  },
} as const

type Family = (typeof FAMILIES)[keyof typeof FAMILIES]

/** Which echo. */
interface Echo {
  readonly identifier: number
  readonly sequence: number
}

/** What came, as far as it is about an echo: its own, or the one that an error quotes. */
interface Heard extends Echo {
  readonly from: string
  readonly ttl: number
  readonly error?: { readonly type: number; readonly code: number; readonly mtu?: number }
}

export async function ping(namespace: Namespace, destination: string, request: EchoRequest = {}): Promise<EchoAnswer> {
  const { size = DEFAULT_SIZE, timeout = DEFAULT_TIMEOUT } = request
  const { identifier = randomIdentifier(), sequence = DEFAULT_SEQUENCE } = request
  const to = parseIp(destination)
  const family = FAMILIES[familyOf(to)]
  const socket = succeed(
    namespace.inside(() => sys.socket(family.domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, family.protocol)),
    'open an ICMP socket',
  )
  try {
    const refused = prepare(socket, family, request)
    if (refused < 0) return { outcome: 'refused', errno: errnoName(-refused) }

    const message = encodeRequest(to, { identifier, sequence }, size)
    const sent = sys.clock(CLOCK_MONOTONIC)
    const result = sys.sendto(socket, message, message.length, 0, socketAddress(family, to))
    if (result < 0) return { outcome: 'refused', errno: errnoName(-result) }
    return await answer(socket, family, { identifier, sequence }, sent, timeout)
  } finally {
    sys.close(socket)
  }
}

/** Negative errno when the source is none of ours. */
function prepare(socket: number, family: Family, { source, ttl, dontFragment = false }: EchoRequest): number {
  const set = (option: number, value: number) =>
    sys.setsockopt(socket, family.level, option, new Uint8Array(Int32Array.of(value).buffer))
  set(family.mtuDiscover, dontFragment ? PMTUDISC_DO : PMTUDISC_DONT)
  if (family.level === IPPROTO_IPV6) {
    set(IPV6_DONTFRAG, dontFragment ? 1 : 0)
    set(IPV6_RECVHOPLIMIT, 1)
  }
  const refused = ttl === undefined ? 0 : set(family.ttl, ttl)
  return refused < 0 || source === undefined ? refused : sys.bind(socket, socketAddress(family, parseIp(source)))
}

function answer(
  socket: number,
  family: Family,
  { identifier, sequence }: Echo,
  sent: bigint,
  timeout: number,
): Promise<EchoAnswer> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer)
      remove()
      settle()
    }
    const look = () => {
      const now = sys.clock(CLOCK_MONOTONIC)
      try {
        const heard = hear(socket, family).find((it) => it.identifier === identifier && it.sequence === sequence)
        if (!heard) return
        const { from, ttl, error } = heard
        end(() =>
          resolve(
            error
              ? { outcome: 'error', from, ...error }
              : { outcome: 'reply', from, ttl, milliseconds: Number(now - sent) / 1e6 },
          ),
        )
      } catch (error) {
        end(() => reject(error))
      }
    }
    const timer = setTimeout(() => {
      // On a busy machine the answer may have come long ago, and the timer had its turn first. Who has ended cannot end again.
      look()
      end(() => resolve({ outcome: 'timeout' }))
    }, timeout)
    const remove = reactor.add(socket, look)
  })
}

function hear(socket: number, family: Family): Heard[] {
  const datagrams = receiveDatagrams(socket)
  if (typeof datagrams === 'number') return [] // an error of before, which reading has cleared
  return datagrams.flatMap((datagram) => {
    try {
      return family.read(datagram) ?? []
    } catch (error) {
      if (error instanceof DecodeError) return [] // somebody else's, and broken
      throw error
    }
  })
}

/** With the IP header. */
function readIpv4({ bytes }: Datagram): Heard | undefined {
  const { source, ttl, payload } = decodeIpv4(bytes)
  const icmp = decodeIcmp(payload)
  if (icmp.kind === 'echo') return icmp.reply ? { from: source, ttl, ...idOf(icmp) } : undefined
  if (!('original' in icmp) || icmp.kind === 'redirect') return undefined
  const quoted = decodeIcmp(icmp.original.subarray(decodeIpv4Header(icmp.original).headerLength))
  return quoted.kind === 'echo' && !quoted.reply
    ? { from: source, ttl, ...idOf(quoted), error: { type: payload[0]!, code: payload[1]!, ...mtuOf(icmp) } }
    : undefined
}

/** Without the IP header; the hop limit is told beside. */
function readIpv6({ bytes, address, control }: Datagram): Heard | undefined {
  const from = formatIp(new Uint8Array(address.buffer, address.byteOffset + FAMILIES.ipv6.addressAt, 16).slice())
  const ttl = control(IPPROTO_IPV6, IPV6_HOPLIMIT)?.getInt32(0, LITTLE_ENDIAN) ?? 0
  const icmp = decodeIcmpv6(bytes)
  if (icmp.kind === 'echo') return icmp.reply ? { from, ttl, ...idOf(icmp) } : undefined
  if (!('original' in icmp)) return undefined
  const quoted = decodeIcmpv6(icmp.original.subarray(decodeIpv6Header(icmp.original).headerLength))
  return quoted.kind === 'echo' && !quoted.reply
    ? { from, ttl, ...idOf(quoted), error: { type: bytes[0]!, code: bytes[1]!, ...mtuOf(icmp) } }
    : undefined
}

function idOf({ identifier, sequence }: Extract<Icmp | Icmpv6, { kind: 'echo' }>): Echo {
  return { identifier, sequence }
}

/** Also 0, where a router of before RFC 1191 sent it. */
function mtuOf(icmp: Icmp | Icmpv6): { readonly mtu?: number } {
  if (icmp.kind === 'packet too big') return { mtu: icmp.mtu }
  return icmp.kind === 'destination unreachable' && 'mtu' in icmp && icmp.code === UnreachableCode.fragmentationNeeded
    ? { mtu: icmp.mtu }
    : {}
}

function encodeRequest(to: Ip, { identifier, sequence }: Echo, size: number): Uint8Array {
  const data = Uint8Array.from({ length: size }, (_, i) => i)
  const echo = { kind: 'echo', reply: false, identifier, sequence, data } as const
  // The kernel knows the source, and puts the checksum right: RFC 3542 §3.1.
  const destination = formatIp(to)
  return familyOf(to) === 'ipv4' ? encodeIcmp(echo) : encodeIcmpv6(echo, { source: destination, destination })
}

function socketAddress({ domain, addressSize, addressAt }: Family, ip: Ip): Uint8Array {
  const address = new Uint8Array(addressSize)
  new DataView(address.buffer).setUint16(0, domain, LITTLE_ENDIAN)
  address.set(ip, addressAt)
  return address
}

function randomIdentifier(): number {
  const bytes = new Uint8Array(2)
  sys.getrandom(bytes)
  return (bytes[0]! << 8) | bytes[1]!
}
