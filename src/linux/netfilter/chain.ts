/**
 * Chains: NFTA_CHAIN_* and, for those that the kernel calls, NFTA_HOOK_*, linux/netfilter/nf_tables.h.
 *
 * Hooks have a number per family. The kernel lists a base chain's policy always; it is `accept` where none was given.
 */
import type { NftChain, NftFamily, NftHook } from '../../kernel/nftables.ts'
import type { Attributes } from '../netlink/attribute.ts'
import type { MessageWriter } from '../netlink/message.ts'
import { nameOf, required } from './codec.ts'
import { COMMENT, decodeComment, writeComment } from './comment.ts'

const NFTA_CHAIN_TABLE = 1
const NFTA_CHAIN_HANDLE = 2
const NFTA_CHAIN_NAME = 3
const NFTA_CHAIN_HOOK = 4
const NFTA_CHAIN_POLICY = 5
const NFTA_CHAIN_TYPE = 7
const NFTA_CHAIN_COUNTERS = 8
const NFTA_CHAIN_USERDATA = 12
const NFTA_HOOK_HOOKNUM = 1
const NFTA_HOOK_PRIORITY = 2
const NFTA_HOOK_DEV = 3
const NFTA_HOOK_DEVS = 4
const NFTA_COUNTER_BYTES = 1
const NFTA_COUNTER_PACKETS = 2

/** NF_DROP, NF_ACCEPT. */
const POLICIES = { drop: 0, accept: 1 } as const

type Base = NonNullable<NftChain['base']>
type ChainName = Pick<NftChain, 'table' | 'name'>

/** NF_INET_*, and NF_BR_* with the same numbers. */
const INET_HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4, ingress: 5 }

/** linux/netfilter.h, netfilter_arp.h, netfilter_netdev.h. */
const HOOKS: { readonly [F in NftFamily]: Readonly<Partial<Record<NftHook, number>>> } = {
  inet: INET_HOOKS,
  ip: INET_HOOKS,
  ip6: INET_HOOKS,
  bridge: INET_HOOKS,
  arp: { input: 0, output: 1, forward: 2 },
  netdev: { ingress: 0, egress: 1 },
}

export function encodeChain(to: MessageWriter, chain: NftChain): void {
  encodeChainName(to, chain)
  if (chain.base) encodeBase(to, chain.family, chain.base)
  writeComment(to, NFTA_CHAIN_USERDATA, COMMENT.chain, chain.comment)
}

export function encodeChainName(to: MessageWriter, { table, name }: ChainName): void {
  to.attributeText(NFTA_CHAIN_TABLE, table).attributeText(NFTA_CHAIN_NAME, name)
}

export function decodeChain(family: NftFamily, from: Attributes): NftChain {
  const hook = from.nested(NFTA_CHAIN_HOOK)
  return {
    family,
    table: required('chain', 'table', from.text(NFTA_CHAIN_TABLE)),
    name: required('chain', 'name', from.text(NFTA_CHAIN_NAME)),
    ...decodeComment(from.bytes(NFTA_CHAIN_USERDATA), COMMENT.chain),
    ...(hook && { base: decodeBase(family, from, hook) }),
  }
}

function encodeBase(
  to: MessageWriter,
  family: NftFamily,
  { type, hook, priority, policy, device, counter }: Base,
): void {
  const number = HOOKS[family][hook]
  if (number === undefined) throw new RangeError(`Cannot hook a chain of family ${family} to "${hook}": it has none`)
  to.nested(NFTA_CHAIN_HOOK, () => {
    to.attributeU32be(NFTA_HOOK_HOOKNUM, number).attributeU32be(NFTA_HOOK_PRIORITY, priority >>> 0)
    if (device !== undefined) to.attributeText(NFTA_HOOK_DEV, device)
  })
  to.attributeText(NFTA_CHAIN_TYPE, type)
  if (policy) to.attributeU32be(NFTA_CHAIN_POLICY, POLICIES[policy])
  if (counter) {
    to.nested(NFTA_CHAIN_COUNTERS, () => {
      to.attributeU64be(NFTA_COUNTER_BYTES, counter.bytes).attributeU64be(NFTA_COUNTER_PACKETS, counter.packets)
    })
  }
}

function decodeBase(family: NftFamily, chain: Attributes, hook: Attributes): Base {
  const type = chain.text(NFTA_CHAIN_TYPE)
  const name = nameOf(HOOKS[family], hook.u32be(NFTA_HOOK_HOOKNUM))
  const counter = chain.nested(NFTA_CHAIN_COUNTERS)
  const device = hook.text(NFTA_HOOK_DEV) ?? hook.nested(NFTA_HOOK_DEVS)?.text(1)
  return {
    type: required('chain', 'type', type === 'filter' || type === 'nat' || type === 'route' ? type : undefined),
    hook: required('chain', 'hook', name),
    priority: required('chain', 'priority', hook.u32be(NFTA_HOOK_PRIORITY)) | 0,
    policy: nameOf(POLICIES, chain.u32be(NFTA_CHAIN_POLICY)) ?? 'accept',
    ...(device !== undefined && { device }),
    ...(counter && {
      counter: { packets: counter.u64be(NFTA_COUNTER_PACKETS) ?? 0n, bytes: counter.u64be(NFTA_COUNTER_BYTES) ?? 0n },
    }),
  }
}

export const chainHandle = (from: Attributes): bigint | undefined => from.u64be(NFTA_CHAIN_HANDLE)
