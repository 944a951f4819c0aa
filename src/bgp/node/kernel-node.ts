/**
 * A speaker's node as its kernel knows it: node.ts asked of links, addresses and routes.
 *
 * The handle is the speaker's alone: what is done to routes by way of it is not notified. Who writes routes that next hops are to
 * be found by, takes another.
 */
import { type Family, parseIp } from '../../address/ip.ts'
import { contains } from '../../address/prefix.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import type { Clock } from '../../reconcile/keep.ts'
import type { Node } from '../node.ts'
import type { LocalAddress } from '../rib/export.ts'
import { isLinkLocal, type Surrounding, Surroundings } from './surroundings.ts'
import { type WayTo, wayTo } from './way-to.ts'

export class KernelNode implements Node {
  readonly #surroundings: Surroundings
  /** Found since something last changed. */
  readonly #ways = new Map<string, WayTo>()

  /** `protocol`: routes of this one are the speaker's own. */
  constructor(kernel: LiveKernel, clock: Clock, protocol: number) {
    this.#surroundings = new Surroundings(kernel, clock, protocol)
    this.#surroundings.watch(() => this.#ways.clear())
  }

  resolve(address: string, linkLocal: string | undefined): number | undefined {
    const { hops, metric } = this.wayTo(address, linkLocal)
    return hops.length > 0 ? metric : undefined
  }

  /** What the kernel is to be told of a next hop. */
  wayTo(address: string, linkLocal: string | undefined): WayTo {
    const name = `${address} ${linkLocal ?? ''}`
    let way = this.#ways.get(name)
    if (!way) {
      way = wayTo(this.#surroundings, address, linkLocal)
      this.#ways.set(name, way)
    }
    return way
  }

  localAddress(ours: string, peer: string): LocalAddress {
    const found = this.#surroundings.owner(parseIp(ours))
    if (!found) return { ipv4: undefined, ipv6: undefined, linkLocal: undefined }
    const { link, address } = found
    const its = (family: Family) =>
      familyOfText(ours) === family && !address.isLinkLocal ? ours : globalOf(link, family)
    return {
      ipv4: its('ipv4'),
      ipv6: its('ipv6'),
      linkLocal: isOn(link, peer) ? link.addresses.find((each) => each.isLinkLocal && each.isUsable)?.text : undefined,
    }
  }

  whyUnreachable(peer: string): string | undefined {
    const ip = parseIp(peer)
    if (this.#surroundings.owner(ip)) return undefined
    // It says nothing of its link; the connection does.
    if (isLinkLocal(ip)) return whyNone(this.#surroundings.links)
    const around = this.#surroundings.around(ip)
    if (around.some(({ link }) => link.trouble === undefined)) return undefined
    return around[0]?.link.trouble ?? this.wayTo(peer, undefined).why
  }

  /** The speaker's own routes are of this protocol now. */
  setProtocol(protocol: number): void {
    this.#surroundings.setProtocol(protocol)
  }

  watch(changed: () => void): () => void {
    return this.#surroundings.watch(changed)
  }

  close(): void {
    this.#surroundings.close()
  }
}

const familyOfText = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4')

/** Of links with IPv6: why packets can leave by none of them. */
function whyNone(links: Iterable<Surrounding>): string | undefined {
  const usable = [...links].filter((link) => !link.isLoopback && link.addresses.some((each) => each.isLinkLocal))
  return usable.some(({ trouble }) => trouble === undefined) ? undefined : (usable[0]?.trouble ?? 'no link has IPv6')
}

function globalOf({ addresses }: Surrounding, family: Family): string | undefined {
  return addresses.find(({ text, isLinkLocal, isUsable }) => isUsable && !isLinkLocal && familyOfText(text) === family)
    ?.text
}

function isOn({ addresses }: Surrounding, peer: string): boolean {
  const ip = parseIp(peer)
  return isLinkLocal(ip) || addresses.some(({ subnet, isLinkLocal }) => !isLinkLocal && contains(subnet, ip))
}
