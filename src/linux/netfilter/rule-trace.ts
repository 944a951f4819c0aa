/**
 * Which rules packets meet whose nftrace is set: NFT_MSG_TRACE, net/netfilter/nf_tables_trace.c. What `nft monitor trace` shows.
 *
 * The kernel tells it as it happens; here it waits in the socket's buffer until somebody asks.
 */
import { sys } from '#sys'
import type { NftFamily } from '../../kernel/nftables.ts'
import { EAGAIN, succeed } from '../errno.ts'
import { Attributes } from '../netlink/attribute.ts'
import { joinGroups } from '../netlink/groups.ts'
import { decodeMessages } from '../netlink/message.ts'
import { NETLINK_NETFILTER, openNetlink } from '../netlink/socket.ts'
import type { Namespace } from '../netns.ts'
import { decodeFamily, NFGENMSG_SIZE, NFNL_SUBSYS_NFTABLES } from './header.ts'

/** NFNLGRP_NFTRACE, linux/netfilter/nfnetlink.h; as a bit of sockaddr_nl's groups. */
const GROUP = 1 << (9 - 1)
const NFT_MSG_TRACE = 17

/** NFTA_TRACE_*, linux/netfilter/nf_tables.h. */
const TABLE = 1
const CHAIN = 2
const RULE_HANDLE = 3
const TYPE = 4
const VERDICT = 5
const ID = 6
const NETWORK_HEADER = 8
const TRANSPORT_HEADER = 9
const POLICY = 16
const VERDICT_CODE = 1
const VERDICT_CHAIN = 2

/** NFT_TRACETYPE_POLICY */
const TYPE_POLICY = 1

const RECEIVE_SIZE = 8192
const MSG_DONTWAIT = 0x40
const CALL = 'follow packets through rules'

/** NF_* of linux/netfilter.h, NFT_* of nf_tables.h: one number space. */
const VERDICTS: ReadonlyMap<number, string> = new Map([
  [0, 'drop'],
  [1, 'accept'],
  [2, 'stolen'],
  [3, 'queue'],
  [-1, 'continue'],
  [-3, 'jump'],
  [-4, 'goto'],
  [-5, 'return'],
])

export interface TracedRule {
  readonly family: NftFamily
  readonly table: string
  readonly chain: string
  /** Undefined: no rule decided, and `verdict` is the policy's; or a chain was left at its end. */
  readonly handle: bigint | undefined
  readonly isPolicy: boolean
  readonly verdict: string
  /** Where `jump` and `goto` lead. */
  readonly target: string | undefined
  /** The same for what one packet meets in one hook. */
  readonly id: number
  /** Of the first that it meets there: its headers from the network header on, as far as they are told. */
  readonly packet: Uint8Array | undefined
}

export class RuleTrace {
  readonly #socket: number
  readonly #buffer = new Uint8Array(RECEIVE_SIZE)

  constructor(namespace: Namespace) {
    this.#socket = namespace.inside(() => openNetlink(NETLINK_NETFILTER))
    try {
      joinGroups(this.#socket, GROUP, CALL)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** What was met since the last call, in this order. KernelError ENOBUFS when there was more than the buffer holds. */
  take(): TracedRule[] {
    const met: TracedRule[] = []
    for (;;) {
      const length = sys.recv(this.#socket, this.#buffer, MSG_DONTWAIT)
      if (length === -EAGAIN) return met
      succeed(length, CALL)
      for (const { type, payload } of decodeMessages(this.#buffer.subarray(0, length)))
        if (type === ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_TRACE)) met.push(decodeTrace(payload))
    }
  }

  close(): void {
    sys.close(this.#socket)
  }
}

/** DecodeError where it is cut off. */
function decodeTrace(payload: Uint8Array): TracedRule {
  const family = decodeFamily(payload)
  const attributes = new Attributes(payload, NFGENMSG_SIZE)
  const isPolicy = attributes.u32be(TYPE) === TYPE_POLICY
  const verdict = attributes.nested(VERDICT)
  const code = (isPolicy ? attributes.u32be(POLICY) : verdict?.u32be(VERDICT_CODE)) ?? 0
  const network = attributes.bytes(NETWORK_HEADER)
  return {
    family,
    table: attributes.text(TABLE) ?? '',
    chain: attributes.text(CHAIN) ?? '',
    handle: attributes.u64be(RULE_HANDLE),
    isPolicy,
    // NF_VERDICT_MASK: what stands above it says more of a drop or a queue.
    verdict: VERDICTS.get(code | 0) ?? VERDICTS.get(code & 0xff) ?? `${code}`,
    target: verdict?.text(VERDICT_CHAIN),
    id: attributes.u32be(ID) ?? 0,
    packet: network && Uint8Array.of(...network, ...(attributes.bytes(TRANSPORT_HEADER) ?? [])),
  }
}
