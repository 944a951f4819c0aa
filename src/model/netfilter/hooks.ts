/**
 * The places where netfilter may look at a packet, and who stands there: nf_hook_slow. Source: linux/netfilter.h.
 *
 * An entry answers a verdict. One that answers `drop` leaves the ending of the packet to `runHook`; one that answers
 * `stolen` has taken it (a queued fragment, a packet that was sent another way).
 */
import type { Device } from '../device/device.ts'
import type { OutputError } from '../ipv4/route-output.ts'
import type { RouteError6 } from '../ipv6/route.ts'
import type { Namespace } from '../namespace.ts'
import { type DropDetails, drop } from '../observer.ts'
import type { Packet } from '../packet.ts'

/** NF_INET_*; NF_BR_* have the same numbers. */
export const Hook = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const
export type HookNumber = (typeof Hook)[keyof typeof Hook]

export type HookFamily = 'ip' | 'ip6' | 'bridge' | 'arp'

/** NF_DROP, NF_ACCEPT, NF_STOLEN; `stop`: the packet goes on at once, whoever stands behind is not asked. */
export const Verdict = { drop: 0, accept: 1, stolen: 2, stop: 5 } as const
export type VerdictNumber = (typeof Verdict)[keyof typeof Verdict]

/** struct nf_hook_state, without an object for it: input and output are undefined where the hook has none. */
export type HookCall = (
  packet: Packet,
  hook: HookNumber,
  input: Device | undefined,
  output: Device | undefined,
) => VerdictNumber

export interface HookEntry {
  /** Lower is called first; of two that are equal, the one registered last: nf_hook_entries_grow. NF_IP_PRI_*. */
  readonly priority: number
  /** For traces: `conntrack`, `nft ip filter FORWARD`. */
  readonly name: string
  readonly call: HookCall
  /** It has nothing to say of packets but those that pass a bridge and IP's hooks at once, and those of a connection. */
  readonly passesOthers?: boolean
}

/** NF_IP_PRI_*, linux/netfilter_ipv4.h. */
export const Priority = {
  first: -2147483648,
  conntrackDefrag: -400,
  raw: -300,
  conntrack: -200,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
  conntrackHelper: 300,
  conntrackConfirm: 2147483647,
} as const

const NOBODY: readonly HookEntry[] = []

/** The hooks of one family in a namespace. */
export class FamilyHooks {
  /** nf_hooks_needed: the bit of each hook where somebody stands. Every packet asks. */
  #needed = 0
  /** The same of those that look at every packet. */
  #always = 0
  /** By the hook's number, each by priority. */
  #entries: readonly HookEntry[][] | undefined = undefined

  /** Whether anybody stands there. */
  has(hook: HookNumber): boolean {
    return ((this.#needed >> hook) & 1) !== 0
  }

  /** Whether anybody stands there who has something to say of this packet. */
  concern(packet: Packet, hook: HookNumber): boolean {
    const standing = packet.bridged === undefined && packet.connection === undefined ? this.#always : this.#needed
    return ((standing >> hook) & 1) !== 0
  }

  /** Whether nobody stands at any other. */
  hasOnly(hook: HookNumber): boolean {
    return (this.#needed & ~(1 << hook)) === 0
  }

  at(hook: HookNumber): readonly HookEntry[] {
    return this.#entries?.[hook] ?? NOBODY
  }

  register(hook: HookNumber, entry: HookEntry): void {
    this.#entries ??= [[], [], [], [], []]
    register(this.#entries[hook]!, entry)
    this.#count(hook)
  }

  unregister(hook: HookNumber, entry: HookEntry): void {
    unregister(this.#entries?.[hook] ?? [], entry)
    this.#count(hook)
  }

  #count(hook: HookNumber): void {
    const entries = this.at(hook)
    const bit = 1 << hook
    this.#needed = entries.length > 0 ? this.#needed | bit : this.#needed & ~bit
    this.#always = entries.some(({ passesOthers }) => !passesOthers) ? this.#always | bit : this.#always & ~bit
  }
}

/** Who stands where in one namespace. ARP's numbers are its own: NF_ARP_IN is 0, NF_ARP_OUT 1. */
export type Hooks = { readonly [F in HookFamily]: FamilyHooks }

export function createHooks(): Hooks {
  return { ip: new FamilyHooks(), ip6: new FamilyHooks(), bridge: new FamilyHooks(), arp: new FamilyHooks() }
}

/** Puts an entry into its place: nf_hook_entries_grow, before those of its own priority. */
export function register(entries: HookEntry[], entry: HookEntry): void {
  const at = entries.findIndex(({ priority }) => priority >= entry.priority)
  entries.splice(at < 0 ? entries.length : at, 0, entry)
}

export function unregister(entries: HookEntry[], entry: HookEntry): void {
  const at = entries.indexOf(entry)
  if (at >= 0) entries.splice(at, 1)
}

/** What the last `drop` verdict was about: the entry that answers it says so here before it returns. */
export interface DropCause extends DropDetails {
  readonly reason?: string
  /** The function that frees the packet: `nft_do_chain` for the drop of a rule or a policy; else `nf_hook_slow`. */
  readonly kernel?: string
}

/**
 * NF_HOOK: whether the packet goes on. Entries with a priority below `from` are left out: a packet that comes back into the
 * middle of a hook goes on there.
 */
export function runHook(
  namespace: Namespace,
  family: HookFamily,
  hook: HookNumber,
  packet: Packet,
  input: Device | undefined,
  output: Device | undefined,
  from = Priority.first as number,
): boolean {
  const { hooks } = namespace
  // By name, not by what the name is in: every packet passes here, and V8 knows where `hooks.ip` is.
  const entries = (family === 'ip' ? hooks.ip : family === 'bridge' ? hooks.bridge : hooks[family]).at(hook)
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!
    if (entry.priority < from) continue
    const verdict = entry.call(packet, hook, input, output)
    if (verdict === Verdict.accept) continue
    if (verdict === Verdict.stop) return true
    if (verdict === Verdict.drop) dropAt(namespace, entry, packet)
    return false
  }
  return true
}

/** Why there is no way for a packet of this host. */
export type RouteError = OutputError | RouteError6

/**
 * NF_DROP_GETERR: what a sender is told whose packet a hook has dropped. A chain of type `route` that changed where it should go
 * says why there is no way (NF_DROP_ERR).
 */
export function takeRefusal(namespace: Namespace): RouteError | 'EPERM' {
  const refusal = namespace.refusal ?? 'EPERM'
  namespace.refusal = undefined
  return refusal
}

/** nf_hook_ingress, nf_hook_egress: as runHook, for the chains of one device. */
export function runDeviceHook(
  entries: readonly HookEntry[],
  packet: Packet,
  input: Device | undefined,
  output: Device | undefined,
): boolean {
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!
    const verdict = entry.call(packet, 0, input, output)
    if (verdict === Verdict.accept) continue
    if (verdict === Verdict.drop) dropAt(packet.device.namespace, entry, packet)
    return false
  }
  return true
}

function dropAt(namespace: Namespace, entry: HookEntry, packet: Packet): void {
  const cause = namespace.dropCause
  namespace.dropCause = undefined
  drop(packet, cause?.reason ?? 'NETFILTER_DROP', cause?.kernel ?? 'nf_hook_slow', {
    what: `${entry.name} drops it`,
    ...cause,
  })
}
