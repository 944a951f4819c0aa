/**
 * What runs on every node of an overlay, and does there what flanneld does:
 *
 *   registry.ts ── configuration ──┐
 *   uplink.ts ──── the link below ─┼─> what this node is known by ─> registry.ts ── lease, peers ──┐
 *                                  │                                                               v
 *                                  └──────────────> node-state.ts: what the kernel should look like ──> reconcile/keep.ts
 *                                                   udp-path.ts: the data path of udp                   subnet.env
 *
 * Any of these may change at any time, and what depends on it follows. What cannot be had just now (the store, the link) leaves
 * everything as it is. When the daemon ends, the kernel stays as it is, too, and the next one changes nothing in it that is
 * right.
 *
 * Everything is an argument: the store, the kernel, clock and chance, files. On the model whole networks of daemons run in
 * virtual time.
 */
import { hostOf } from '../address/prefix.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Change, LiveKernel, Subscription } from '../kernel/live.ts'
import { describeDifferences } from '../reconcile/compare.ts'
import { type Keeper, keep } from '../reconcile/keep.ts'
import { joinStates, type Operation, type Owned } from '../reconcile/state.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import { type BackendInput, backendOf } from './backend/backend.ts'
import { OnLink } from './backend/on-link.ts'
import { familiesOf } from './backend/peer.ts'
import { chooseVtepMac } from './backend/vtep.ts'
import { fits } from './claim.ts'
import type { NetworkConfig } from './config.ts'
import { EarlierLease } from './earlier-lease.ts'
import { type Condition, conditionOf } from './health.ts'
import { type Family, type Lease, type LeaseAttributes, leaseOf, subnetsOf } from './lease.ts'
import { type EarlierLife, leftovers } from './leftovers.ts'
import {
  dependsOnRoutes,
  describeLeftOut,
  isRouteToPods,
  nodeState,
  type RuleOptions,
  rulesOf,
  udpRoutes,
} from './node-state.ts'
import type { Notice } from './notice.ts'
import { Registry } from './registry.ts'
import type { NetworkRules, OtherNetworks } from './rules/shared.ts'
import { formatSubnetFile, parseSubnetFile } from './subnet-file.ts'
import { type SubnetFileAccess, SubnetWriter } from './subnet-writer.ts'
import { Turns } from './turns.ts'
import { type StartUdpDataPath, UdpPath } from './udp-path.ts'
import { describeUplink, findUplinkAgain, type Uplink, type UplinkOptions } from './uplink.ts'

/** Milliseconds from the first notification to the look at the uplink: changes come in groups. */
const MOMENT = 20
/** Milliseconds until a peer that has gone is let go: one that lost its lease has it again at once. */
const FAREWELL = 200
/** Milliseconds between looks that nothing has called for. */
const PERIOD = 60_000
const AFTER_FAILURE = 1_000

export interface DaemonNotice extends Omit<Notice, 'subject'> {
  readonly subject: Notice['subject'] | 'uplink' | 'kernel' | 'subnet.env' | 'udp'
}

export interface DaemonOptions {
  readonly store: Store
  /** Of the network's keys: `/coreos.com/network`. */
  readonly prefix: string
  readonly kernel: LiveKernel
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  readonly randomBytes: (length: number) => Uint8Array
  readonly subnetFile: SubnetFileAccess
  readonly uplink: Omit<UplinkOptions, 'families'>
  readonly rules: RuleOptions
  readonly leaseSeconds: number
  readonly renewSeconds: number
  readonly startUdp: StartUdpDataPath
  /** Left out: there is no other daemon on this node. */
  readonly otherNetworks?: OtherNetworks
  readonly events: DaemonEvents
}

export interface DaemonEvents {
  notice(notice: DaemonNotice): void
  /** Once: pods can be attached from now on. */
  ready(): void
  /** It cannot begin, and trying again would not help: no link will do, or the backend cannot be used here. */
  failed(error: Error): void
  /** The kernel was changed: since the desired state is another, or since somebody had changed it. */
  changed?(operations: readonly Operation[], cause: 'desired' | 'changed'): void
  /** It has looked, or planned, and may have nothing to do now. */
  worked?(): void
}

/** What the node is to be like, as far as it is its own to say. */
interface Setting {
  readonly config: NetworkConfig
  readonly uplink: Uplink
}

export class Daemon {
  readonly #options: DaemonOptions
  readonly #registry: Registry
  readonly #keeper: Keeper
  readonly #udp: UdpPath
  readonly #subnetFile: SubnetWriter
  readonly #earlierLease: EarlierLease
  readonly #onLink: OnLink
  readonly #earlier: Omit<EarlierLife, 'lease'>
  readonly #subscriptions: readonly Subscription[]
  #config: NetworkConfig | undefined
  #setting: Setting | undefined
  #attributes: LeaseAttributes | undefined
  /** Of the VXLAN devices: the same for as long as we live, whatever they are called. */
  readonly #macs: Partial<Record<Family, string>> = {}
  #lease: Lease | undefined
  #peers: readonly Lease[] | undefined
  /** How many of them the kernel has been told of. */
  #planned = 0
  /** What the state before owned, or the daemon before us. */
  #owned: Owned | undefined
  /** What other daemons are told of ours. */
  #rules: NetworkRules | undefined
  #isReady = false
  #isClosed = false
  /** Problems that stand, by what they are about, so that each is told once. */
  readonly #problems = new Map<DaemonNotice['subject'], string>()
  #leftOut: readonly string[] = []
  readonly #due = { look: false, plan: false, store: false }
  readonly #turns: Turns
  #cancelPeriod: () => void = () => {}

  constructor(options: DaemonOptions) {
    const { store, prefix, kernel, clock, subnetFile, events } = options
    this.#options = options
    this.#turns = new Turns(clock, () => this.#turn())
    this.#subnetFile = new SubnetWriter(subnetFile, (level, message) => this.#notice(level, 'subnet.env', message))
    this.#onLink = new OnLink(kernel)
    this.#earlier = parseSubnetFile(this.#subnetFile.earlier())
    this.#keeper = keep(kernel, clock, {
      done: (operations, cause) => this.#hasChanged(operations, cause),
      refused: (error) => this.#notice('error', 'kernel', `${error.message}; trying again`),
      contested: (what) => this.#notice('warning', 'kernel', `Somebody else keeps changing ${what}; putting it right`),
      failed: (error) => this.#notice('error', 'kernel', `${error.message}; trying again`),
    })
    this.#udp = new UdpPath({
      start: options.startUdp,
      clock,
      started: ({ tun, address, port }) =>
        this.#notice('info', 'udp', `Carrying packets of ${tun} at ${address}, port ${port}`),
      failed: (error) => this.#notice('error', 'udp', `${error.message}; trying again`),
    })
    this.#earlierLease = new EarlierLease({ store, prefix, clock, previous: this.#earlier.subnets })
    const others = options.otherNetworks?.watch(() => this.#turnSoon('plan'))
    this.#subscriptions = [
      kernel.watch(['link', 'address', 'route'], (change) => this.#onChange(change)),
      ...(others ? [others] : []),
    ]
    this.#registry = new Registry({
      ...options,
      previous: this.#earlier.subnets,
      events: {
        config: (config) => {
          this.#config = config
          this.#turnSoon('look')
        },
        lease: (lease) => {
          this.#lease = lease
          this.#turnSoon('plan')
        },
        peers: (peers) => {
          const known = new Set(this.#peers)
          const isFarewell = this.#peers !== undefined && peers.every((peer) => known.has(peer))
          this.#peers = peers
          this.#turnSoon('plan', isFarewell ? FAREWELL : 0)
        },
        notice: (notice) => events.notice(notice),
      },
    })
    this.#beginPeriod()
  }

  /** How it is, for whoever asks. */
  get condition(): Condition {
    const { clock, kernel, leaseSeconds, renewSeconds } = this.#options
    return conditionOf({
      now: clock.now(),
      hasConfig: this.#config !== undefined,
      setting: this.#setting,
      problems: [...this.#problems.values(), this.#subnetFile.problem].filter((problem) => problem !== undefined),
      lease: this.#lease,
      peers: this.#planned,
      leftOut: this.#leftOut,
      leaseSeconds,
      renewSeconds,
      renewedAt: this.#registry.renewedAt,
      storeLostAt: this.#registry.lostAt,
      missing: this.#devices().filter((name) => !kernel.links.get(name)?.up),
      refused: this.#keeper.refused.map(({ error }) => error.message),
      udpProblem: this.#udp.problem,
      udpCounters: this.#udp.counters(),
      isReady: this.#isReady,
    })
  }

  /** Leaves the kernel, the lease and subnet.env as they are. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#turns.close()
    this.#cancelPeriod()
    for (const subscription of this.#subscriptions) subscription.close()
    this.#registry.close()
    this.#earlierLease.close()
    this.#keeper.close()
    await this.#udp.close()
  }

  #onChange(change: Change | 'lost'): void {
    if (change !== 'lost' && this.#isOfPods(change)) return
    this.#onLink.forget()
    // Routes change on it all the time, with host-gw.
    this.#due.store ||= change === 'lost' || (change.link === this.#setting?.uplink.link && change.subject !== 'route')
    this.#turnSoon('look', MOMENT)
  }

  /** On our own devices, or a route to pods: that says nothing of the way to the other nodes, and there is much of it. */
  #isOfPods(change: Change): boolean {
    if (change.link !== undefined && this.#devices().includes(change.link)) return true
    return this.#setting !== undefined && isRouteToPods(change, this.#setting.config)
  }

  #beginPeriod(): void {
    this.#cancelPeriod = this.#options.clock.after(PERIOD, () => {
      this.#turnSoon('look')
      this.#publish()
      this.#beginPeriod()
    })
  }

  #turnSoon(what: 'look' | 'plan', delay = 0): void {
    this.#due[what] = true
    this.#turns.soon(delay)
  }

  #turn(): void {
    try {
      if (this.#due.look) this.#look()
      if (this.#due.plan) this.#plan()
      this.#problems.delete('kernel')
    } catch (error) {
      // A kernel that cannot be read now: its tables change all the time, or there is no memory.
      if (!(error instanceof KernelError)) throw error
      this.#problem('error', 'kernel', `${error.message}; trying again`)
      this.#due.plan = true
      this.#turnSoon('look', AFTER_FAILURE)
    }
    this.#options.events.worked?.()
  }

  /** Which link is it that others know us by, and can the backend be used there? */
  #look(): void {
    this.#due.look = false
    const config = this.#config
    if (!config) return
    const { kernel, store, uplink: wanted, events } = this.#options
    // The way to the store may be another one, or open again.
    if (this.#due.store || this.#registry.lostAt !== undefined) store.reconnect()
    this.#due.store = false
    try {
      const uplink = findUplinkAgain(kernel, { ...wanted, families: familiesOf(config) }, this.#setting?.uplink.link)
      backendOf(config).check(uplink, config)
      this.#problems.delete('uplink')
      this.#adopt({ config, uplink })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      if (this.#setting) this.#problem('error', 'uplink', `${error.message}; everything stays as it is`)
      else events.failed(error)
    }
  }

  #adopt(setting: Setting): void {
    const before = this.#setting
    if (JSON.stringify(setting) === JSON.stringify(before)) return
    if (JSON.stringify(setting.uplink) !== JSON.stringify(before?.uplink)) {
      this.#notice('info', 'uplink', `Other nodes reach this one by ${describeUplink(setting.uplink)}`)
    }
    if (before && JSON.stringify(setting.config) !== JSON.stringify(before.config)) {
      this.#notice('info', 'config', `The network's configuration has changed; backend ${setting.config.backend.type}`)
    }
    this.#setting = setting
    this.#due.plan = true
    void this.#announce(setting)
  }

  /** A device that is there keeps its MAC; one that is gone gets that of the lease that others still know. */
  async #announce(setting: Setting): Promise<void> {
    const { kernel, randomBytes } = this.#options
    const { config, uplink } = setting
    const backend = backendOf(config)
    const known = await this.#earlierLease.find({ config, attributes: backend.attributes(uplink, config, {}) })
    if (this.#isClosed || this.#setting !== setting) return
    if (!this.#attributes) this.#owned = leftovers(kernel, config, { ...this.#earlier, lease: known })
    for (const family of familiesOf(config)) {
      const device = config.backend.type === 'vxlan' && backend.device(family, config)
      if (device) this.#macs[family] ??= chooseVtepMac(kernel, device, known?.[family]?.vtep?.mac, randomBytes)
    }
    this.#attributes = backend.attributes(uplink, config, this.#macs)
    this.#registry.announce({ config, attributes: this.#attributes })
    this.#turnSoon('plan')
  }

  #plan(): void {
    this.#due.plan = false
    const input = this.#input()
    if (!input) return
    const { rules, otherNetworks } = this.#options
    this.#rules = rulesOf(input, rules)
    const others = otherNetworks?.list() ?? []
    const state = () => nodeState(input, rules, others)
    const now = state()
    const { backend } = input.config
    if (backend.type !== 'udp') this.#udp.want(undefined)
    // What is not ours any more goes first; after this it is nobody's.
    if (this.#owned && JSON.stringify(this.#owned) !== JSON.stringify(now.owned)) {
      this.#keeper.desire(joinStates(now, { owned: this.#owned }))
    }
    this.#owned = now.owned
    this.#keeper.desire(dependsOnRoutes(input) ? state : now)
    this.#planned = input.peers.length
    if (backend.type === 'udp') {
      const [tun] = this.#devices()
      const { address } = input.uplink.ipv4!
      const routes = udpRoutes(input)
      this.#udp.want({ tun: tun!, address: hostOf(address), port: backend.port, routes })
    }
    this.#tellLeftOut(describeLeftOut(input))
    const { config, uplink, lease } = input
    const mtu = backendOf(config).mtu(uplink, config)
    this.#subnetFile.want(formatSubnetFile({ config, subnets: subnetsOf(lease), mtu, ipMasq: rules.masquerade }))
    this.#publish()
  }

  /** Undefined while something is missing. */
  #input(): BackendInput | undefined {
    const [setting, lease, peers, attributes] = [this.#setting, this.#lease, this.#peers, this.#attributes]
    if (!setting || !lease || !peers || !attributes) return undefined
    const { config, uplink } = setting
    // Of an earlier configuration: the registry asks for others.
    if (!fits(config, subnetsOf(lease))) return undefined
    // In the store it may still say what we were known by before.
    const own = leaseOf(subnetsOf(lease), attributes)
    return { config, uplink, lease: own, peers, reachable: this.#onLink.of(uplink) }
  }

  /** Names of the backend's devices. */
  #devices(): string[] {
    const config = this.#setting?.config
    if (!config) return []
    return familiesOf(config).flatMap((family) => backendOf(config).device(family, config) ?? [])
  }

  #hasChanged(operations: readonly Operation[], cause: 'desired' | 'changed'): void {
    this.#options.events.changed?.(operations, cause)
    if (cause !== 'changed') return
    const [first, ...more] = describeDifferences(operations)
    if (first === undefined) return
    const others = more.length === 0 ? '' : `, and ${more.length} more`
    this.#notice('info', 'kernel', `Put right: ${first}${others}`)
    this.#publish()
  }

  #tellLeftOut(lines: readonly string[]): void {
    for (const line of lines) if (!this.#leftOut.includes(line)) this.#notice('warning', 'peer', line)
    this.#leftOut = lines
  }

  /** subnet.env says that pods can be attached: not before the device is there. */
  #publish(): void {
    const { kernel, events, otherNetworks } = this.#options
    if (this.#devices().some((name) => !kernel.links.get(name))) return
    if (!this.#subnetFile.write()) return
    if (this.#rules) otherNetworks?.publish(this.#rules)
    if (this.#isReady) return
    this.#isReady = true
    events.ready()
  }

  #notice(level: DaemonNotice['level'], subject: DaemonNotice['subject'], message: string): void {
    this.#options.events.notice({ level, subject, message })
  }

  #problem(level: DaemonNotice['level'], subject: DaemonNotice['subject'], message: string): void {
    if (this.#problems.get(subject) === message) return
    this.#problems.set(subject, message)
    this.#notice(level, subject, message)
  }
}
