/**
 * Which ports of a transport are taken: inet_bind_bucket, udp_table.
 *
 * Two owners of one port get along where both are bound to addresses, and to different ones. One that is bound to no
 * address takes the port of both families.
 */
import { type Family, familyOf, formatIp, type Ip, parseIp, unspecified } from '../../address/ip.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Endpoint } from '../../kernel/socket.ts'
import { sameBytes } from '../bytes.ts'
import type { Namespace } from '../namespace.ts'
import { requireNetwork } from './networks.ts'

export interface Bound {
  /** Undefined: any address. */
  readonly address: Ip | undefined
  /** Undefined: either family, where there is no address. */
  readonly family: Family | undefined
  readonly port: number
}

export class Ports<B extends Bound> {
  readonly #byPort = new Map<number, B[]>()
  /** Of the port that was asked for last: most packets are for the same as the one before. */
  #last: readonly B[] = []

  /** Those of this port; undefined where there are none. */
  at(port: number): readonly B[] | undefined {
    return this.#byPort.get(port)
  }

  add(bound: B): void {
    const bucket = this.#byPort.get(bound.port)
    if (bucket) bucket.push(bound)
    else this.#byPort.set(bound.port, [bound])
  }

  remove(bound: B): void {
    this.#last = []
    const bucket = this.#byPort.get(bound.port)
    const at = bucket?.indexOf(bound) ?? -1
    if (!bucket || at < 0) return
    if (bucket.length === 1) this.#byPort.delete(bound.port)
    else bucket.splice(at, 1)
  }

  /** The owner of an address and port: one that is bound to the address before one that is bound to any. */
  find(bytes: Uint8Array, addressAt: number, family: Family, port: number): B | undefined {
    const bucket = this.#last[0]?.port === port ? this.#last : this.#byPort.get(port)
    if (bucket === undefined) return undefined
    this.#last = bucket
    let any: B | undefined
    for (let i = 0; i < bucket.length; i++) {
      const bound = bucket[i]!
      if (bound.family !== undefined && bound.family !== family) continue
      const { address } = bound
      if (address === undefined) any = bound
      else if (sameBytes(bytes, addressAt, address, 0, address.length)) return bound
    }
    return any
  }

  isTaken(address: Ip | undefined, family: Family | undefined, port: number): boolean {
    return (this.#byPort.get(port) ?? []).some((other) => {
      if (family !== undefined && other.family !== undefined && family !== other.family) return false
      if (address === undefined || other.address === undefined) return true
      return sameBytes(address, 0, other.address, 0, address.length)
    })
  }

  /** Throws KernelError EADDRINUSE. Port 0: one that is free, as `choose` has it. */
  claim(
    namespace: Namespace,
    address: Ip | undefined,
    family: Family | undefined,
    port: number,
    call: string,
    parity: Parity = 'any',
  ): number {
    const isTaken = (candidate: number) => this.isTaken(address, family, candidate)
    const found = port === 0 ? choosePort(namespace, parity, isTaken) : isTaken(port) ? undefined : port
    if (found === undefined) throw new KernelError('EADDRINUSE', call)
    return found
  }
}

/** Which ports are looked at first. */
export type Parity = 'even' | 'odd' | 'any'

/** An address without one: any of both families. */
export function familyBound(address: Ip | undefined): Family | undefined {
  return address && familyOf(address)
}

/** Where a socket is bound: on all addresses of both families that is `::`. */
export function localEndpoint(address: Ip | undefined, family: Family | undefined, port: number): Endpoint {
  return { address: formatIp(address ?? unspecified(family ?? 'ipv6')), port }
}

/**
 * A port of ip_local_port_range that is free. connect(2) looks at even ones first and bind(2) of TCP at odd ones, so that
 * they do not get into each other's way: __inet_hash_connect, inet_csk_find_open_port.
 */
export function choosePort(
  namespace: Namespace,
  parity: Parity,
  isTaken: (port: number) => boolean,
): number | undefined {
  const [low = 32768, high = 60999] = namespace.sysctl.numbers('net/ipv4/ip_local_port_range')
  const count = high - low + 1
  const start = namespace.model.random.below('ephemeralPort', count)
  const step = parity === 'any' ? 1 : 2
  const first = parity === 'any' ? start : start - ((low + start + (parity === 'odd' ? 1 : 0)) & 1)
  for (let round = 0; round < step; round++) {
    for (let tried = 0; tried < count; tried += step) {
      const port = low + ((((first + round + tried) % count) + count) % count)
      if (!isTaken(port)) return port
    }
  }
  return undefined
}

/** The address in bytes. Throws KernelError EADDRNOTAVAIL where it is none of the namespace's. */
export function requireOurs(namespace: Namespace, text: string | undefined, call: string): Ip | undefined {
  if (text === undefined) return undefined
  const address = parseIp(text)
  if (address.every((byte) => byte === 0)) return undefined
  if (!requireNetwork(familyOf(address), call).isOurs(namespace, address)) throw new KernelError('EADDRNOTAVAIL', call)
  return address
}

/** For traces: `udp 10.1.0.2:53`. */
export function endpointText(protocol: string, { address, port }: Bound): string {
  const host = address ? formatIp(address) : '*'
  return `${protocol} ${host.includes(':') ? `[${host}]` : host}:${port}`
}
