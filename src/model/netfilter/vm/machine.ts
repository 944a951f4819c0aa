/**
 * The machine that runs rules: nft_do_chain. Source: net/netfilter/nf_tables_core.c.
 *
 * A rule is a row of operations, made from its expressions when it was committed. They work on a packet and on 64 bytes of
 * registers, and answer a verdict each: CONTINUE goes on, BREAK ends the rule, any other ends or moves the evaluation.
 */
import type { NftChain } from '../../../kernel/nftables.ts'
import type { Device } from '../../device/device.ts'
import type { Namespace } from '../../namespace.ts'
import { type Verdict as NotedVerdict, note } from '../../observer.ts'
import type { Packet } from '../../packet.ts'
import type { DropCause, HookNumber, VerdictNumber } from '../hooks.ts'
import { ChainIndex } from './chain-index.ts'
import type { Test } from './fuse.ts'
import { ACCEPT, BREAK, CONTINUE, DROP, GOTO, JUMP, RETURN, STOLEN } from './verdict.ts'

/** NFPROTO_*. */
export const NetfilterProtocol = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const

/** No header of a transport protocol: NFT_PKTINFO_L4PROTO is not set. */
export const NO_TRANSPORT = -1

export type Operation = (machine: Machine) => number

/** A rule as the machine sees it. */
export interface RunnableRule {
  /** What must hold before the rule does anything. */
  readonly tests: readonly Test[]
  readonly operations: readonly Operation[]
  /** What its drop is about; the same object each time. */
  readonly dropCause: DropCause
}

/** A chain as the machine sees it. */
export interface RunnableChain {
  readonly name: string
  rules: readonly RunnableRule[]
  /** Made when it is first asked for; `stale` after a commit that changed the chain. */
  index: ChainIndex | 'stale'
}

export interface RunnableBase extends RunnableChain {
  policy: typeof ACCEPT | typeof DROP
  /** `ip filter FORWARD`. */
  readonly title: string
  policyCause: DropCause
  /** What met the policy: nft_update_chain_stats. */
  policyCounter: PolicyCounter | undefined
}

export interface PolicyCounter {
  packets: number
  bytes: number
}

/** NFT_JUMP_STACK_SIZE. */
export const MAX_DEPTH = 16

const NOTED: Readonly<Record<number, NotedVerdict>> = {
  [ACCEPT]: 'accept',
  [DROP]: 'drop',
  [STOLEN]: 'stolen',
  [CONTINUE]: 'continue',
  [RETURN]: 'return',
  [JUMP]: 'jump',
  [GOTO]: 'jump',
}

export class Machine {
  /** NFT_REG32_00 … 15; register 1 is the first 16 bytes. */
  readonly registers = new Uint8Array(64)
  packet!: Packet
  namespace!: Namespace
  hook: HookNumber = 0
  /** The hook's NetfilterProtocol: ip or ip6 where an inet chain is called. */
  protocol: number = NetfilterProtocol.ip
  input: Device | undefined = undefined
  output: Device | undefined = undefined
  /** Where skb->data is: the network header, but the link's in netdev egress. */
  data = 0
  /** IpProtocol of the transport header, or NO_TRANSPORT. */
  transportProtocol = NO_TRANSPORT
  /** Offset of the transport header. */
  transport = 0
  /** In units of 8 bytes; 0: whole, or the first fragment. */
  fragmentOffset = 0
  /** Where JUMP and GOTO lead. */
  target: RunnableChain | undefined = undefined
  readonly #chains: RunnableChain[] = []
  readonly #places: number[] = []

  /** The chain's verdict. A drop leaves its cause in the namespace. */
  evaluate(base: RunnableBase): VerdictNumber {
    const { packet } = this
    let depth = 0
    let chain: RunnableChain = base
    let { rules } = base
    let index = indexOf(base)
    let place = 0
    for (;;) {
      const { firsts, isSparse } = index
      let verdict = CONTINUE as number
      while (place < firsts.length) {
        if (isSparse) {
          place = index.next(this, place)
          if (place === firsts.length) break
        }
        verdict = firsts[place]!(this)
        if (verdict === BREAK) {
          verdict = CONTINUE
          place++
          continue
        }
        const rule = rules[place++]!
        const { operations } = rule
        for (let i = 1; verdict === CONTINUE && i < operations.length; i++) verdict = operations[i]!(this)
        if (verdict === BREAK) {
          verdict = CONTINUE
          continue
        }
        if (packet.journey) this.#noteRule(rule, verdict)
        if (verdict === CONTINUE) continue
        if (verdict === DROP) this.namespace.dropCause = rule.dropCause
        break
      }
      if (verdict === JUMP) {
        this.#chains[depth] = chain
        this.#places[depth] = place
        depth++
      }
      if (verdict === JUMP || verdict === GOTO) {
        chain = this.target!
        rules = chain.rules
        index = indexOf(chain)
        place = 0
      } else if (verdict >= 0) {
        return verdict as VerdictNumber
      } else if (depth > 0) {
        depth--
        chain = this.#chains[depth]!
        rules = chain.rules
        index = indexOf(chain)
        place = this.#places[depth]!
      } else {
        if (packet.journey) this.#notePolicy(base)
        if (base.policyCounter) {
          base.policyCounter.packets++
          base.policyCounter.bytes += packet.end - this.data
        }
        if (base.policy === DROP) this.namespace.dropCause = base.policyCause
        return base.policy
      }
    }
  }

  #noteRule(rule: RunnableRule, verdict: number): void {
    const { packet } = this
    const jump =
      verdict === JUMP || verdict === GOTO ? ` ${verdict === JUMP ? 'jump' : 'goto'} ${this.target!.name}` : ''
    note(packet, this.#place(), 'rule', `matches${jump}`, {
      kernel: 'nft_do_chain',
      ref: rule.dropCause.ref,
      verdict: NOTED[verdict],
      ...(packet.mark !== 0 && { meta: { mark: packet.mark } }),
    })
  }

  #notePolicy(base: RunnableBase): void {
    note(this.packet, this.#place(), 'rule', 'no rule decides: policy', {
      kernel: 'nft_do_chain',
      ref: `chain ${base.title} policy ${base.policy === DROP ? 'drop' : 'accept'}`,
      verdict: NOTED[base.policy],
    })
  }

  /** The device to which notes belong. */
  #place(): Device {
    return this.input ?? this.output ?? this.packet.device
  }
}

function indexOf(chain: RunnableChain): ChainIndex {
  if (chain.index === 'stale') chain.index = new ChainIndex(chain.rules)
  return chain.index
}

/** The base of a chain, complete. */
export type Base = NonNullable<NftChain['base']>
