/**
 * What a rule knows of the packet that it looks at, and what it must ask first so that a field is there: `tcp dport` is of
 * TCP only. nftables 1.0.6, src/payload.c, payload_gen_dependency(); src/proto.c, proto_ctx_update().
 */
import type { NftExpression, NftFamily } from '../../kernel/nftables.ts'
import { toNumber, types } from './datatype.ts'
import { NftError } from './error.ts'
import type { Protocol } from './selector.ts'
import type { Selector } from './syntax.ts'

const ETHER_TYPES = { ip: Uint8Array.of(0x08, 0x00), ip6: Uint8Array.of(0x86, 0xdd) } as const
const ETHERNET = Uint8Array.of(1, 0)
const TCP = 6
/** Those that nft's descriptions of IPv4 and IPv6 lead to: ICMP, IGMP, TCP, UDP, DCCP, ESP, AH, ICMPv6, IPComp, SCTP, UDP-Lite. */
const DESCRIBED: readonly number[] = [1, 2, TCP, 17, 33, 50, 51, 58, 108, 132, 136]

export class Known {
  readonly #family: NftFamily
  #network: 'ip' | 'ip6' | undefined
  /** One of these. */
  #transports: readonly number[] = []

  constructor(family: NftFamily) {
    this.#family = family
    if (family === 'ip' || family === 'ip6') this.#network = family
  }

  get network(): 'ip' | 'ip6' | undefined {
    return this.#network
  }

  get knowsTransport(): boolean {
    return this.#transports.length > 0
  }

  /** In a table of one family all is of it. */
  get #isOfOneFamily(): boolean {
    return this.#family === 'ip' || this.#family === 'ip6'
  }

  /** What the packet must be, so that what it is known to be is not asked again: one of these values. */
  learn(left: Selector, ...values: readonly [Uint8Array, ...Uint8Array[]]): void {
    this.#learnTransport(left, values)
    const [value] = values
    if (values.length > 1) return
    if (left.kind === 'meta' && left.meta.key === 'nfproto') this.#network = value[0] === 2 ? 'ip' : 'ip6'
    if (left.kind === 'meta' && left.meta.key === 'protocol') {
      const etherType = toNumber(value, 'network')
      this.#network = etherType === 0x0800 ? 'ip' : etherType === 0x86dd ? 'ip6' : this.#network
    }
  }

  #learnTransport(left: Selector, values: readonly Uint8Array[]): void {
    const numbers = values.map(([number]) => number!)
    const isMeta = left.kind === 'meta' && left.meta.key === 'l4proto'
    const isHeld =
      (left.kind === 'payload' && left.field.type === types.protocol) ||
      (left.kind === 'ct' && left.ct.key === 'protocol')
    const known = isMeta ? numbers : isHeld ? numbers.filter((number) => DESCRIBED.includes(number)) : []
    if (known.length > 0) this.#transports = known
  }

  /** What must be asked so that the header is there. */
  askFor({ name, base, number, over }: Protocol): NftExpression[] {
    const asked: NftExpression[] = []
    if (base === 'link' && this.#family !== 'bridge' && this.#family !== 'netdev') {
      asked.push(meta('iiftype'), equal(ETHERNET))
    }
    if (name === 'ip' || name === 'ip6') asked.push(...this.askForNetwork(name))
    if (base !== 'transport' || number === undefined) return asked
    const other = this.#transports.find((each) => each !== number)
    if (other !== undefined) {
      const before = DESCRIBED.includes(other) ? types.protocol.format(Uint8Array.of(other)) : 'unknown'
      throw new NftError(`conflicting protocols specified: ${before} vs. ${name}`)
    }
    if (this.knowsTransport) return asked
    if (over) asked.push(...this.#askForCarrier(over))
    return [...asked, ...this.#askForTransport(number)]
  }

  askForTcp(): NftExpression[] {
    return this.#transports.includes(TCP) ? [] : this.#askForTransport(TCP)
  }

  askForNetwork(network: 'ip' | 'ip6'): NftExpression[] {
    if (this.#network === network) return []
    if (this.#network !== undefined) {
      throw new NftError(`conflicting network layer protocols specified: ${this.#network} vs. ${network}`)
    }
    this.#network = network
    if (this.#family === 'inet') return [meta('nfproto'), equal(Uint8Array.of(network === 'ip' ? 2 : 10))]
    return [meta('protocol'), equal(ETHER_TYPES[network])]
  }

  /** ICMP is only over the one, ICMPv6 only over the other. */
  #askForCarrier(network: 'ip' | 'ip6'): NftExpression[] {
    if (this.#isOfOneFamily || this.#network === network) return []
    if (this.#family !== 'bridge') return this.askForNetwork(network)
    this.#network = network
    return [{ type: 'payload', base: 'link', offset: 12, length: 2, register: 1 }, equal(ETHER_TYPES[network])]
  }

  #askForTransport(number: number): NftExpression[] {
    this.#transports = [number]
    return [meta('l4proto'), equal(Uint8Array.of(number))]
  }
}

function meta(key: 'iiftype' | 'l4proto' | 'nfproto' | 'protocol'): NftExpression {
  return { type: 'meta', key, register: 1 }
}

function equal(value: Uint8Array): NftExpression {
  return { type: 'cmp', register: 1, operator: 'eq', value }
}
