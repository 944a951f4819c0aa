/**
 * Who may connect, and how: a peer's options by its address, and what of that the kernel is to know beforehand.
 *
 * The kernel has TCP MD5 keys by prefix, the longest of which counts, as here; but it knows no prefix without a key within one that
 * has one, and such a hole is made of the prefixes around it. It has one TTL, and one least TTL, for all who connect.
 */
import { readIp } from '../address/ip.ts'
import { contains, formatPrefix, hostPrefix, networkOf, overlaps, type Prefix, readPrefix } from '../address/prefix.ts'
import type { Listener as KernelListener, TcpOptions } from '../kernel/socket.ts'
import { type Listener, PLAIN, type SocketOptions } from './transport.ts'
import { encodeUtf8 } from './utf8.ts'

export interface Allowed {
  readonly from: Prefix
  readonly options: SocketOptions
}

export class SocketListener implements Listener {
  socket: KernelListener | undefined = undefined
  readonly #optionsOf: (options: Pick<SocketOptions, 'ttl' | 'minTtl'>) => TcpOptions
  /** In the order in which they came; of two for one prefix, the later counts. */
  #allowed: Allowed[] = []
  /** What the kernel has, by prefix. */
  readonly #keys = new Map<string, string>()

  constructor(optionsOf: (options: Pick<SocketOptions, 'ttl' | 'minTtl'>) => TcpOptions) {
    this.#optionsOf = optionsOf
  }

  /** Of the listening socket. */
  get options(): TcpOptions {
    return this.#optionsOf(forAll(this.#allowed))
  }

  /** KernelError ENOPROTOOPT where a key is asked for and the kernel has no TCP MD5; EINVAL when it is too long. */
  allow(from: string, options: SocketOptions): () => void {
    const ip = readIp(from)
    const prefix = ip ? hostPrefix(ip) : readPrefix(from)
    if (!prefix) throw new RangeError(`Cannot allow connections from "${from}": neither an address nor a prefix`)
    const allowed: Allowed = { from: networkOf(prefix), options }
    const remove = () => {
      if (!this.#allowed.includes(allowed)) return
      this.#allowed = this.#allowed.filter((each) => each !== allowed)
      this.#tellKernel()
    }
    this.#allowed = [...this.#allowed, allowed]
    try {
      this.#tellKernel()
    } catch (error) {
      remove()
      throw error
    }
    return remove
  }

  optionsFor(address: string): SocketOptions {
    const ip = readIp(address)
    let best: Allowed | undefined
    for (const each of this.#allowed) {
      if (ip && contains(each.from, ip) && !(best && best.from.length > each.from.length)) best = each
    }
    return best?.options ?? PLAIN
  }

  close(): void {
    this.#allowed = []
    this.socket?.close()
    this.socket = undefined
  }

  #tellKernel(): void {
    if (!this.socket) return
    const keys = keysFor(this.#allowed)
    for (const prefix of this.#keys.keys()) {
      if (keys.has(prefix)) continue
      this.socket.setMd5Key(prefix, undefined)
      this.#keys.delete(prefix)
    }
    for (const [prefix, key] of keys) {
      if (this.#keys.get(prefix) === key) continue
      this.socket.setMd5Key(prefix, encodeUtf8(key))
      this.#keys.set(prefix, key)
    }
    this.socket.set(this.options)
  }
}

/** TTL and least TTL of a socket on which all of them may connect. */
export function forAll(allowed: readonly Allowed[]): Pick<SocketOptions, 'ttl' | 'minTtl'> {
  const least = Math.min(...allowed.map(({ options }) => options.minTtl ?? 0))
  return {
    // RFC 5082: who takes nothing but 255 takes no other answer to a SYN, either. It does the others no harm.
    ttl: allowed.some(({ options }) => options.ttl === 255) ? 255 : undefined,
    minTtl: allowed.length > 0 && least > 0 ? least : undefined,
  }
}

/** The TCP MD5 keys that the kernel is to have, by prefix. */
export function keysFor(allowed: readonly Allowed[]): Map<string, string> {
  const byPrefix = new Map(allowed.map((each) => [formatPrefix(each.from), each]))
  const keys = new Map<string, string>()
  for (const { from, options } of byPrefix.values()) {
    if (options.md5 === undefined) continue
    const within = [...byPrefix.values()].filter(
      (other) => other.from.length > from.length && overlaps(from, other.from),
    )
    const hasHole = within.some((other) => other.options.md5 === undefined)
    const covered = hasHole
      ? around(
          from,
          within.map((other) => other.from),
        )
      : [from]
    for (const prefix of covered) keys.set(formatPrefix(prefix), options.md5)
  }
  return keys
}

/** The prefixes of which `prefix` is made when the holes are taken out of it. */
function* around(prefix: Prefix, holes: readonly Prefix[]): Generator<Prefix> {
  const inside = holes.filter((hole) => overlaps(prefix, hole))
  if (inside.length === 0) yield prefix
  else if (inside.every((hole) => hole.length > prefix.length)) {
    for (const half of halvesOf(prefix)) yield* around(half, inside)
  }
}

function halvesOf({ address, length }: Prefix): readonly [Prefix, Prefix] {
  const upper = address.slice()
  upper[length >> 3]! |= 0x80 >> (length & 7)
  return [
    { address, length: length + 1 },
    { address: upper, length: length + 1 },
  ]
}
