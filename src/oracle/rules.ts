/**
 * Which rules packets meet: in Linux what nft's trace tells of packets that are marked for it, in the model what their journeys
 * say. Compared is what one packet met in one hook: the rules of a base chain, and of those that it led to, with their verdicts.
 *
 * Watched are the namespaces that have rules when the first frame is sent. A table of our own marks the packets there, in both
 * kernels, and is taken away before the tables are listed.
 */
import { ignoring } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { NftExpression, NftOperation, NftTable } from '../kernel/nftables.ts'
import { LinuxKernel } from '../linux/linux.ts'
import { RuleTrace, type TracedRule } from '../linux/netfilter/rule-trace.ts'
import type { Journey, Step } from '../model/observer.ts'
import { family } from '../trace/fate.ts'
import { ExtensionType, extensionLength, ipv6Header, isExtension } from '../wire/ipv6.ts'
import type { Difference } from './difference.ts'
import { nameOf } from './ending.ts'
import type { ScenarioStep } from './scenario.ts'
import type { Stand } from './stand.ts'
import { isBackground } from './walk.ts'

/** What a packet met in a hook. */
export interface MetRules {
  /** The scenario's step behind which it was; of a packet that had to wait, not the step that sent it. */
  readonly step: number
  /** Namespace. */
  readonly at: string
  /** `ip filter FORWARD handle 7 continue, ip filter FORWARD policy accept`. */
  readonly rules: string
}

const OWN: NftTable = { family: 'inet', name: 'overlab_rules' }
/** Before conntrack's, and defragmentation: the pieces are marked, and what is made of them with the first. */
const PRIORITY = -500

const ETHERNET_HEADER = 14
/** Of IPv6: where it stands, and two that it may be. */
const NEXT_HEADER = 6
const DESTINATION = 24
const HOP_BY_HOP = 0
const FRAGMENT_HEADER = 8
const ICMPV6 = 58

export class RuleWatch {
  readonly #stand: Stand
  /** Namespaces with rules; in Linux with the kernel's trace. */
  readonly #watched = new Map<string, RuleTrace | undefined>()
  readonly #met: MetRules[] = []
  readonly #journeys: { readonly step: number; readonly journey: Journey }[] = []
  #step = 0

  /** `steps`: what is going to be done. */
  constructor(names: readonly string[], steps: readonly ScenarioStep[], stand: Stand) {
    this.#stand = stand
    for (const name of names) {
      const kernel = stand.kernelOf(name)
      if (kernel.nftables.list().rules.length === 0 || needsHash(kernel, steps)) continue
      this.#watched.set(name, kernel instanceof LinuxKernel ? new RuleTrace(kernel.namespace) : undefined)
      kernel.nftables.commit([
        { operation: 'add table', table: OWN },
        ...(['prerouting', 'output'] as const).flatMap((hook) => markingChain(hook)),
      ])
    }
  }

  /** From now on what is met belongs to this step. */
  beginStep(step: number): void {
    this.#takeTraces()
    this.#step = step
  }

  /** In the model: a packet that is followed. */
  addJourney(journey: Journey): void {
    this.#journeys.push({ step: this.#step, journey })
  }

  /** All that was met. The packets are marked no more. */
  end(): MetRules[] {
    this.#takeTraces()
    for (const { step, journey } of this.#journeys) {
      for (const each of family(journey)) this.#met.push(...this.#metOn(each, step))
    }
    for (const name of this.#watched.keys()) {
      const { nftables } = this.#stand.kernelOf(name)
      ignoring('ENOENT', () => nftables.commit([{ operation: 'delete table', table: OWN }]))
    }
    return this.#met
  }

  close(): void {
    for (const trace of this.#watched.values()) trace?.close()
  }

  #takeTraces(): void {
    for (const [at, trace] of this.#watched)
      for (const rules of trace ? runsOf(trace.take()) : []) this.#met.push({ step: this.#step, at, rules })
  }

  #metOn({ steps }: Journey, step: number): MetRules[] {
    const met: MetRules[] = []
    let run: string[] = []
    let frame: Uint8Array | undefined
    for (const each of steps) {
      frame = each.stage === 'encap' ? undefined : (each.frame ?? frame)
      if (each.stage !== 'rule' || each.kernel !== 'nft_do_chain') continue
      const at = nameOf(each.device.namespace.path)
      run.push(textOfStep(each))
      if (!isLast(each.verdict, each.ref?.startsWith('chain ') ?? false)) continue
      const isOurs = run[0]!.includes(` ${OWN.name} `)
      if (this.#watched.has(at) && !isOurs && !(frame && (isSmallTalk(frame) || endsInHeaders(frame))))
        met.push({ step, at, rules: run.join(', ') })
      run = []
    }
    return met
  }
}

const BY_PORTS = ['net.ipv4.fib_multipath_hash_policy', 'net.ipv6.fib_multipath_hash_policy'] as const

/**
 * To number what it traces, Linux computes a packet's hash (trace_fill_id), and keeps it. Behind NAT, or where pieces are put
 * together after their first was traced, a tunnel would have another source port of it, and of several next hops another would
 * be chosen by it.
 */
function needsHash({ links, nftables, sysctl }: LiveKernel, steps: readonly ScenarioStep[]): boolean {
  if (BY_PORTS.some((policy) => sysctl.get(policy.replaceAll('.', '/')) === '1')) return true
  if (steps.some((step) => 'run' in step && BY_PORTS.some((policy) => step.run.includes(`${policy}=1`)))) return true
  if (!links.list().some(({ kind }) => kind === 'vxlan')) return false
  const { chains, rules } = nftables.list()
  return (
    chains.some(({ base }) => base?.type === 'nat') ||
    rules.some(({ expressions }) => expressions.some(asksForTracking))
  )
}

const TRACKING_XT: readonly string[] = ['conntrack', 'state', 'connmark', 'CONNMARK', 'CT']

function asksForTracking(expression: NftExpression): boolean {
  if (expression.type === 'xt match') return TRACKING_XT.includes(expression.match)
  if (expression.type === 'xt target') return TRACKING_XT.includes(expression.target)
  return expression.type === 'ct' || expression.type === 'ct set'
}

/** nft add rule inet … meta nftrace set 1 */
function markingChain(hook: 'prerouting' | 'output'): NftOperation[] {
  const place = { family: OWN.family, table: OWN.name }
  const base = { type: 'filter', hook, priority: PRIORITY } as const
  const expressions: NftExpression[] = [
    { type: 'immediate', register: 1, value: Uint8Array.of(1) },
    { type: 'meta set', key: 'nftrace', source: 1 },
  ]
  return [
    { operation: 'add chain', chain: { ...place, name: hook, base } },
    { operation: 'add rule', rule: { ...place, chain: hook, expressions } },
  ]
}

/** A rule that ends the chain, or the chain's policy. */
const isLast = (verdict: string | undefined, isPolicy: boolean) =>
  isPolicy || (verdict !== 'continue' && verdict !== 'jump' && verdict !== 'goto' && verdict !== 'return')

/** `rule ip filter FORWARD handle 7`, or `chain ip filter FORWARD policy accept`: Details.ref. */
function textOfStep({ what, verdict, ref = '' }: Step): string {
  if (ref.startsWith('chain ')) return ref.slice('chain '.length)
  const target = /^matches (?:jump|goto) .*/.exec(what)?.[0]
  return `${ref.slice('rule '.length)} ${target?.slice('matches '.length) ?? verdict}`
}

/** Hook by hook, also where one packet meets its rules while another does: an answer that REJECT sends. */
function runsOf(traced: readonly TracedRule[]): string[] {
  const open = new Map<number, { readonly texts: string[]; readonly isHidden: boolean }>()
  const runs: string[] = []
  for (const rule of traced) {
    const run = open.get(rule.id) ?? { texts: [], isHidden: rule.table === OWN.name || isNoise(rule.packet) }
    open.set(rule.id, run)
    if (rule.isPolicy || rule.handle !== undefined) run.texts.push(textOfTraced(rule))
    // The end of a chain that another led to.
    if (!rule.isPolicy && rule.handle === undefined) continue
    if (!isLast(rule.verdict, rule.isPolicy)) continue
    if (!run.isHidden) runs.push(run.texts.join(', '))
    open.delete(rule.id)
  }
  return runs
}

function textOfTraced({ family: name, table, chain, handle, isPolicy, verdict, target }: TracedRule): string {
  const place = `${name} ${table} ${chain}`
  if (isPolicy) return `${place} policy ${verdict}`
  return `${place} handle ${handle} ${verdict}${target === undefined ? '' : ` ${target}`}`
}

/**
 * What hosts say on their own, and nobody compares. The trace leaves out what stands between an IPv6 header and the transport's:
 * a listener report, which goes to a group, begins behind the addresses without its hop-by-hop header (nf_trace_fill_pkt_info).
 */
export function isNoise(packet: Uint8Array | undefined): boolean {
  if (!packet) return false
  const isIpv6 = packet[0]! >> 4 === 6
  const frame = new Uint8Array(ETHERNET_HEADER + packet.length)
  frame.set(packet, ETHERNET_HEADER)
  frame.set(isIpv6 ? [0x86, 0xdd] : [8, 0], ETHERNET_HEADER - 2)
  const isToGroup = packet[DESTINATION] === 0xff
  const isFragment = packet[NEXT_HEADER] === ExtensionType.fragment
  if (isIpv6 && (isFragment || (isToGroup && packet[NEXT_HEADER] === HOP_BY_HOP)))
    frame[ETHERNET_HEADER + NEXT_HEADER] = ICMPV6
  return isBackground(frame, [])
}

/** What isNoise takes for it: with headers before the transport's, the trace shows no more than that there are some. */
function isSmallTalk(whole: Uint8Array): boolean {
  const frame = withoutFragmentHeader(whole)
  if (!isBackground(frame, [])) return false
  if (!hasIpv6(frame)) return true
  const next = frame[ETHERNET_HEADER + NEXT_HEADER]
  return next === ICMPV6 || (next === HOP_BY_HOP && frame[ETHERNET_HEADER + DESTINATION] === 0xff)
}

function hasIpv6(frame: Uint8Array): boolean {
  return frame[ETHERNET_HEADER - 2] === 0x86 && frame[ETHERNET_HEADER - 1] === 0xdd
}

/** Of a first fragment: conntrack takes the header of an atomic one away, and the trace leaves all of them out. */
function withoutFragmentHeader(frame: Uint8Array): Uint8Array {
  const [named, at] = [ETHERNET_HEADER + NEXT_HEADER, ETHERNET_HEADER + ipv6Header.size]
  if (!hasIpv6(frame) || frame[named] !== ExtensionType.fragment || frame[at + 2] !== 0 || frame[at + 3]! > 7)
    return frame
  if (frame.length < at + FRAGMENT_HEADER) return frame
  const plain = new Uint8Array(frame.length - FRAGMENT_HEADER)
  plain.set(frame.subarray(0, at))
  plain.set(frame.subarray(at + FRAGMENT_HEADER), at)
  plain[named] = frame[at]!
  return plain
}

/** Of these nft looks at four bytes, of others at two. */
const LONGER: readonly number[] = [ExtensionType.fragment, ExtensionType.routing]

/** Of a packet that ends before its transport's header begins, Linux tells nothing: nf_trace_fill_pkt_info has nothing to copy. */
function endsInHeaders(frame: Uint8Array): boolean {
  if (!hasIpv6(frame)) return false
  let next = frame[ETHERNET_HEADER + NEXT_HEADER]!
  let at = ETHERNET_HEADER + ipv6Header.size
  // nft takes an authentication header for the transport's: nft_set_pktinfo_ipv6.
  while (isExtension(next) && next !== ExtensionType.authentication && at + 2 <= frame.length) {
    // nft does not look behind a later fragment's header, nor behind what is cut off: ipv6_find_hdr.
    if (LONGER.includes(next) && at + 4 > frame.length) return false
    if (next === ExtensionType.fragment && (frame[at + 2]! !== 0 || frame[at + 3]! > 7)) return false
    const length = extensionLength(next, frame[at + 1]!)
    next = frame[at]!
    at += length
  }
  return !isExtension(next) && at > frame.length
}

/** In each namespace the same must have been met as often, whenever it was. */
export function rulesDifference(expected: readonly MetRules[], found: readonly MetRules[]): Difference | undefined {
  const left = Map.groupBy(found, keyOf)
  const lacking = expected.filter((met) => left.get(keyOf(met))?.pop() === undefined)
  const surplus = [...left.values()].flat()
  const [first] = [...lacking, ...surplus].sort((a, b) => a.step - b.step)
  if (!first) return undefined
  const { at, step } = first
  const here = (list: readonly MetRules[]) =>
    list.find((met) => met.at === at && met.step === step)?.rules ?? 'none besides'
  return { kind: 'rules', at, what: `${at}, rules behind step ${step}: ${here(surplus)}; expected ${here(lacking)}` }
}

const keyOf = ({ at, rules }: MetRules) => `${at} ${rules}`
