/** Whole speakers on a network in memory, each on a node that is made up. */
import type { Interners } from '../../src/bgp/attribute/interner.ts'
import type { StartBfd } from '../../src/bgp/bfd.ts'
import { parseBgpId } from '../../src/bgp/bgp-id.ts'
import type { Family } from '../../src/bgp/family.ts'
import type { MemoryHost } from '../../src/bgp/memory-transport.ts'
import { formatPrefixKey, type PrefixKey, parsePrefixKey } from '../../src/bgp/nlri.ts'
import type { Fib, Node } from '../../src/bgp/node.ts'
import { type PeerSettings, peerSettings } from '../../src/bgp/peer-settings.ts'
import type { Path } from '../../src/bgp/rib/path.ts'
import { Speaker } from '../../src/bgp/speaker.ts'
import {
  type KernelSettings,
  type NeighbourSettings,
  neighbourSettings,
  type SpeakerSettings,
} from '../../src/bgp/speaker-settings.ts'
import type { World } from './speakers.ts'

/** Every address can be reached, but for those that are said not to be. */
export class TestNode implements Node {
  readonly unreachable = new Set<string>()
  readonly down = new Map<string, string>()
  readonly #watchers = new Set<() => void>()

  resolve(address: string): number | undefined {
    return this.unreachable.has(address) ? undefined : 0
  }

  localAddress(ours: string) {
    const isIpv4 = !ours.includes(':')
    return { ipv4: isIpv4 ? ours : undefined, ipv6: isIpv4 ? undefined : ours, linkLocal: undefined }
  }

  whyUnreachable(peer: string): string | undefined {
    return this.down.get(peer)
  }

  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  /** To be called after a change. */
  tell(): void {
    for (const changed of this.#watchers) changed()
  }
}

/** What would be in the kernel, and what has been done there, in order: `+ 10.0.0.0/8 via 10.0.0.2`, `- 10.0.0.0/8`. */
export class TestFib implements Fib {
  readonly routes = new Map<string, string>()
  readonly done: string[] = []
  readonly isSettled = true
  readonly refused: readonly never[] = []
  /** The most prefixes that were told at once. */
  most = 0
  blackholes: readonly string[] = []
  settings: KernelSettings | undefined
  sweeps = 0
  closed: 'leave' | 'remove' | undefined

  configure(settings: KernelSettings, blackholes: readonly string[]): void {
    this.settings = settings
    this.blackholes = blackholes
  }

  update(_family: Family, keys: Iterable<PrefixKey>, paths: (key: PrefixKey) => readonly Path[]): void {
    const told = [...keys]
    this.most = Math.max(this.most, told.length)
    for (const key of told) {
      const prefix = formatPrefixKey(key)
      const hops = new Set(paths(key).map(({ hop }) => hop.address))
      const route = [...hops].toSorted().join(' ')
      if ((this.routes.get(prefix) ?? '') === route) continue
      if (route === '') this.routes.delete(prefix)
      else this.routes.set(prefix, route)
      this.done.push(route === '' ? `- ${prefix}` : `+ ${prefix} via ${route}`)
    }
  }

  sweep(): void {
    this.sweeps++
  }

  close(what: 'leave' | 'remove'): void {
    this.closed = what
  }
}

export interface LabSpeaker {
  readonly speaker: Speaker
  readonly address: string
  readonly host: MemoryHost
  readonly node: TestNode
  readonly fib: TestFib
  readonly log: string[]
  /** The machine is off: nobody hears anything of it any more. */
  kill(): void
}

export interface LabOptions extends Partial<Omit<SpeakerSettings, 'networks'>> {
  readonly networks?: readonly string[]
  readonly restarted?: boolean
  readonly startBfd?: StartBfd
  readonly attributes?: Interners
}

export function settingsOf(address: string, options: LabOptions = {}): SpeakerSettings {
  const { networks = [], restarted: _, startBfd: __, attributes: ___, ...given } = options
  return {
    name: undefined,
    routerId: given.routerId ?? parseBgpId(address),
    as: 64512,
    listen: { addresses: undefined, port: 179 },
    families: ['ipv4', 'ipv6'],
    networks: networks.map((prefix) => ({ prefix, communities: [], blackhole: true })),
    kernel: { protocol: 182, table: 254, metric: 32, ecmp: 16, persist: false },
    preferOlder: false,
    neighbours: [],
    ...given,
  }
}

/** Starts a speaker at this address, which another may have had before. */
export function start(world: World, address: string, options: LabOptions = {}): LabSpeaker {
  const { clock, network, random } = world
  const host = network.hostOf(address) ?? network.host(address)
  const node = new TestNode()
  const fib = new TestFib()
  const log: string[] = []
  let isOn = true
  const after = (milliseconds: number, run: () => void) => clock.after(milliseconds, () => isOn && run())
  const speaker = new Speaker({
    settings: settingsOf(address, options),
    transport: host,
    clock: { now: () => clock.now(), after },
    random,
    node,
    fib,
    startBfd: options.startBfd,
    ...(options.attributes ? { attributes: options.attributes } : {}),
    restarted: options.restarted ?? false,
    log: (_, text) => log.push(text),
  })
  const kill = () => {
    isOn = false
    host.crash()
  }
  return { speaker, address, host, node, fib, log, kill }
}

/** A neighbour, of the same AS unless said otherwise. */
export function neighbour(
  address: string,
  session: Partial<PeerSettings> = {},
  given: Partial<Omit<NeighbourSettings, 'session'>> = {},
): NeighbourSettings {
  return neighbourSettings(
    peerSettings({ remoteAs: 64512, localAs: 64512, connectRetry: 2, address, ...session }),
    given,
  )
}

/** The best path of a prefix: the neighbour that it came from, or `here`; undefined when there is none. */
export function bestOf({ speaker }: LabSpeaker, prefix: string): string | undefined {
  const best = speaker.ribs.tables[prefix.includes(':') ? 'ipv6' : 'ipv4'].best(parsePrefixKey(prefix))
  return best && (best.source.peer.address || 'here')
}
