/**
 * What is around a speaker, read from its kernel and kept up to date by notifications: links, their addresses, and the routes
 * that are not the speaker's own.
 *
 * Of a link that is down IPv6 loses its addresses, IPv4 its routes. The subnets that a link was in before it went down are kept
 * in mind: what is in them is behind that link, and nowhere else, however many default routes there are.
 */
import { type Ip, parseIp } from '../../address/ip.ts'
import { contains, hostOf, type Prefix, parsePrefix } from '../../address/prefix.ts'
import { isErrno } from '../../kernel/errors.ts'
import type { Link } from '../../kernel/link.ts'
import type { Change, LiveKernel, Subscription } from '../../kernel/live.ts'
import { type Route, RouteTable } from '../../kernel/route.ts'
import type { Clock } from '../../reconcile/keep.ts'
import { ForeignRoutes } from './foreign-routes.ts'

/** Milliseconds from the first notification until others are told: there are more to come. */
const MOMENT = 10

export interface OwnAddress {
  readonly text: string
  readonly ip: Ip
  /** What its link reaches by it: the subnet, or the other end. */
  readonly subnet: Prefix
  /** Good for the link alone: fe80::/10. */
  readonly isLinkLocal: boolean
  /** It is not ours yet, or not any more; but its subnet is behind the link. */
  readonly isUsable: boolean
}

export interface Surrounding {
  readonly name: string
  readonly isLoopback: boolean
  /** Why no packet leaves by it; undefined: they do. */
  readonly trouble: string | undefined
  readonly addresses: readonly OwnAddress[]
}

export class Surroundings {
  readonly #kernel: LiveKernel
  readonly #clock: Clock
  readonly #subscription: Subscription
  readonly #links = new Map<string, Surrounding>()
  readonly #watchers = new Set<() => void>()
  /** Links about which something has been told. */
  readonly #changed = new Set<string>()
  #protocol: number
  #routes = new ForeignRoutes()
  #isStale = false
  #cancel: (() => void) | undefined

  /** `protocol`: routes of this one are the speaker's own. */
  constructor(kernel: LiveKernel, clock: Clock, protocol: number) {
    this.#kernel = kernel
    this.#clock = clock
    this.#protocol = protocol
    this.#subscription = kernel.watch(['link', 'address', 'route'], (change) => this.#onChange(change), {
      exceptOwnRoutes: true,
    })
    this.#readAll()
  }

  get links(): Iterable<Surrounding> {
    return this.#links.values()
  }

  link(name: string): Surrounding | undefined {
    return this.#links.get(name)
  }

  /** The link that has the address, and what else is known of it. */
  owner(ip: Ip): { readonly link: Surrounding; readonly address: OwnAddress } | undefined {
    for (const link of this.#links.values()) {
      const address = link.addresses.find((each) => each.isUsable && isSame(each.ip, ip))
      if (address) return { link, address }
    }
    return undefined
  }

  /** Links that are in a subnet with this address, those in the smallest subnet first. */
  around(ip: Ip): { readonly link: Surrounding; readonly length: number }[] {
    const found: { link: Surrounding; length: number }[] = []
    for (const link of this.#links.values()) {
      for (const { subnet, isLinkLocal } of link.addresses) {
        if (!isLinkLocal && contains(subnet, ip)) found.push({ link, length: subnet.length })
      }
    }
    return found.sort((a, b) => b.length - a.length)
  }

  /** Routes of others that a packet to this address would take, lowest metric first. */
  match(ip: Ip): readonly Route[] {
    return this.#routes.match(ip)
  }

  /** The speaker's own routes are of this protocol now. */
  setProtocol(protocol: number): void {
    if (protocol === this.#protocol) return
    this.#protocol = protocol
    this.#isStale = true
    this.#tellSoon()
  }

  watch(changed: () => void): () => void {
    // A function of its own, so that the same may watch twice.
    const watcher = () => changed()
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  close(): void {
    this.#subscription.close()
    this.#cancel?.()
    this.#watchers.clear()
  }

  #onChange(change: Change | 'lost'): void {
    if (change === 'lost') this.#isStale = true
    else if (change.subject === 'route') this.#onRoute(change)
    else if (change.link !== undefined) {
      this.#changed.add(change.link)
      const isDown = change.subject === 'link' && (change.operation === 'delete' || change.up === false)
      if (isDown) this.#routes.deleteIpv4By(change.link)
    }
    this.#tellSoon()
  }

  #onRoute({ operation, thing }: Change): void {
    const route = thing as Route | undefined
    if (!route) this.#isStale = true
    if (this.#isStale || route?.table !== RouteTable.main || route.protocol === this.#protocol) return
    const isAll = operation === 'new' ? this.#routes.add(route) : this.#routes.delete(route)
    if (!isAll) this.#isStale = true
  }

  #tellSoon(): void {
    this.#cancel ??= this.#clock.after(MOMENT, () => {
      this.#cancel = undefined
      this.#catchUp()
      for (const watcher of this.#watchers) watcher()
    })
  }

  #catchUp(): void {
    if (this.#isStale) this.#readAll()
    else for (const name of this.#changed) this.#readLink(name, this.#kernel.links.get(name))
    this.#changed.clear()
  }

  #readAll(): void {
    const links = this.#kernel.links.list()
    const names = new Set(links.map(({ name }) => name))
    for (const name of this.#links.keys()) if (!names.has(name)) this.#links.delete(name)
    for (const link of links) this.#readLink(link.name, link)
    this.#routes = new ForeignRoutes(
      this.#kernel.routes.list({ table: RouteTable.main, exceptProtocol: this.#protocol }),
    )
    this.#isStale = false
  }

  #readLink(name: string, link: Link | undefined): void {
    if (!link) {
      this.#links.delete(name)
      return
    }
    const addresses = this.#addressesOf(name)
    const before = this.#links.get(name)?.addresses ?? []
    const lost = link.up ? [] : before.filter(({ ip }) => !addresses.some((each) => isSame(each.ip, ip)))
    this.#links.set(name, {
      name,
      isLoopback: link.kind === 'loopback',
      trouble: troubleOf(link),
      addresses: [...addresses, ...lost.map((address) => ({ ...address, isUsable: false }))],
    })
  }

  #addressesOf(link: string): OwnAddress[] {
    try {
      return this.#kernel.addresses.list(link).map(({ prefix, peer, tentative, dadFailed }) => {
        const text = hostOf(prefix)
        const ip = parseIp(text)
        return {
          text,
          ip,
          subnet: parsePrefix(peer ?? prefix),
          isLinkLocal: ip.length === 16 && isLinkLocal(ip),
          isUsable: !tentative && !dadFailed,
        }
      })
    } catch (error) {
      if (isErrno(error, 'ENODEV')) return [] // it has gone since it was looked at
      throw error
    }
  }
}

/** fe80::/10 */
export function isLinkLocal(ip: Ip): boolean {
  return ip.length === 16 && ip[0] === 0xfe && (ip[1]! & 0xc0) === 0x80
}

/** Links that know nothing of carriers are `unknown`: the loopback, tunnels. */
function troubleOf({ name, up, operState }: Link): string | undefined {
  if (!up) return `${name} is down`
  return operState === 'up' || operState === 'unknown' ? undefined : `${name} has no carrier`
}

function isSame(a: Ip, b: Ip): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
