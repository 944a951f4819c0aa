/**
 * Masquerade as elements of two maps in a table of our own:
 *
 *   table inet overlab_masquerade {
 *     map containers4 { type ipv4_addr : verdict; elements = { 10.1.2.5 : goto subnet-10.1.2.0/24 comment "blue 4f2a… eth0" } }
 *     map containers6 { type ipv6_addr : verdict }
 *     chain postrouting {
 *       type nat hook postrouting priority srcnat
 *       ip saddr vmap @containers4
 *       ip6 saddr vmap @containers6
 *     }
 *     chain subnet-10.1.2.0/24 {
 *       ip daddr 10.1.2.0/24 return
 *       ip daddr 224.0.0.0/4 return
 *       masquerade
 *     }
 *   }
 *
 * Chains stay when their last container goes: deleting a rule makes the next closing of a netlink socket wait for the
 * kernel's RCU, 12–16 ms, an element does not. So a container costs one element, and everything else is made when that
 * is refused. Neighbours and multicast groups see the container's own address, as with the reference's rules.
 */
import { type Family, familyOf } from '../../address/ip.ts'
import { formatPrefix, hostBits, maskOf, networkOf, type Prefix, parsePrefix } from '../../address/prefix.ts'
import { ignoring, isErrno } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type Nftables, type NftElement, type NftExpression, NftType } from '../../kernel/nftables.ts'
import { reconcile } from '../../reconcile/apply.ts'
import { compare } from '../../reconcile/compare.ts'
import { observe } from '../../reconcile/observe.ts'
import type { ChainContent, SetElement, State } from '../../reconcile/state.ts'

const TABLE = { family: 'inet', name: 'overlab_masquerade' } as const
const IN_TABLE = { family: TABLE.family, table: TABLE.name } as const

/** NF_IP_PRI_NAT_SRC, linux/netfilter_ipv4.h. */
const SOURCE_NAT = 100

/** NFT_REG_1, and NFT_REG_VERDICT: where a verdict map puts what it finds. */
const REGISTER = 1
const VERDICT = 0

interface FamilyFacts {
  readonly map: string
  readonly keyType: number
  /** NFPROTO_*, linux/netfilter.h. */
  readonly nfproto: number
  /** Bytes in the network header. */
  readonly source: number
  readonly destination: number
  readonly length: number
  readonly multicast: string
}

const families: { readonly [F in Family]: FamilyFacts } = {
  ipv4: {
    map: 'containers4',
    keyType: NftType.ipv4Address,
    nfproto: 2,
    source: 12,
    destination: 16,
    length: 4,
    multicast: '224.0.0.0/4',
  },
  ipv6: {
    map: 'containers6',
    keyType: NftType.ipv6Address,
    nfproto: 10,
    source: 8,
    destination: 24,
    length: 16,
    multicast: 'ff00::/8',
  },
}

export function addElements(kernel: Kernel, mark: string, addresses: readonly string[]): void {
  const elements = elementsOf(mark, addresses)
  try {
    kernel.nftables.commit(
      elements.map(({ set, element }) => ({
        operation: 'create elements',
        set: { ...IN_TABLE, name: set },
        elements: [element],
      })),
    )
  } catch (error) {
    // The first on this node or of its subnet; or somebody's who went without a DEL.
    if (!isErrno(error, 'ENOENT', 'EEXIST', 'EBUSY')) throw error
    reconcile(kernel, masqueradeState(mark, addresses))
  }
}

export function missingElements(kernel: Kernel, mark: string, addresses: readonly string[]): string[] {
  const state = masqueradeState(mark, addresses)
  return compare(state, observe(kernel, state))
}

/** Removes the elements of these addresses that bear the mark; of whatever addresses where none are known. */
export function removeElements(nftables: Nftables, mark: string, addresses: readonly string[]): void {
  if (addresses.length === 0) {
    removeWhere(nftables, (comment) => comment === mark)
    return
  }
  for (const { set, element } of elementsOf(mark, addresses)) {
    if (nftables.element({ ...IN_TABLE, name: set }, element.key)?.comment === mark) remove(nftables, set, [element])
  }
}

/** Removes the network's elements that bear none of the marks. */
export function removeStaleElements(nftables: Nftables, prefix: string, marks: ReadonlySet<string>): void {
  removeWhere(nftables, (comment) => comment.startsWith(prefix) && !marks.has(comment))
}

function removeWhere(nftables: Nftables, isMeant: (comment: string) => boolean): void {
  for (const { map } of Object.values(families)) {
    let elements: NftElement[] = []
    ignoring('ENOENT', () => {
      elements = nftables.elements({ ...IN_TABLE, name: map })
    })
    const meant = elements.filter(({ comment }) => comment !== undefined && isMeant(comment))
    if (meant.length > 0) remove(nftables, map, meant)
  }
}

function remove(nftables: Nftables, set: string, elements: readonly NftElement[]): void {
  const keys = elements.map(({ key }) => ({ key }))
  ignoring('ENOENT', () =>
    nftables.commit([{ operation: 'delete elements', set: { ...IN_TABLE, name: set }, elements: keys }]),
  )
}

/** Everything that the elements of these addresses need, and they themselves. */
export function masqueradeState(mark: string, addresses: readonly string[]): State {
  const subnets = addresses.map((address) => networkOf(parsePrefix(address)))
  return {
    nftTables: [
      { ...TABLE, comment: 'overlab: containers whose packets leave their subnet with the address of the node' },
    ],
    nftSets: Object.values(families).map(({ map, keyType, length }) => ({
      ...IN_TABLE,
      name: map,
      keyType,
      keyLength: length,
      data: { type: 'verdict' },
    })),
    nftChains: [...subnets.map(subnetChain), postrouting],
    nftElements: elementsOf(mark, addresses),
  }
}

function elementsOf(mark: string, addresses: readonly string[]): SetElement[] {
  return addresses.map((text) => {
    const prefix = parsePrefix(text)
    return {
      ...IN_TABLE,
      set: families[familyOf(prefix.address)].map,
      element: {
        key: prefix.address,
        data: { verdict: 'goto', chain: chainName(networkOf(prefix)) },
        comment: mark,
      },
    }
  })
}

const postrouting: ChainContent = {
  chain: {
    ...IN_TABLE,
    name: 'postrouting',
    base: { type: 'nat', hook: 'postrouting', priority: SOURCE_NAT, policy: 'accept' },
  },
  content: Object.values(families).map(({ map, nfproto, source, length }) => ({
    expressions: [
      ...isProtocol(nfproto),
      { type: 'payload', base: 'network', offset: source, length, register: REGISTER },
      { type: 'lookup', set: map, source: REGISTER, register: VERDICT },
    ],
  })),
}

/** No other host is in a subnet of one address, and the chain would name a container that is long gone. */
const ALONE = 'no-neighbours'

/** Identifiers of nft may have a slash and a dot, but no colon. */
function chainName(subnet: Prefix): string {
  if (hostBits(subnet) === 0) return `${ALONE}-${familyOf(subnet.address)}`
  return `subnet-${formatPrefix(subnet).replaceAll(':', '_')}`
}

function subnetChain(subnet: Prefix): ChainContent {
  const { multicast } = families[familyOf(subnet.address)]
  const own = hostBits(subnet) === 0 ? [] : [returnTo(subnet)]
  return {
    chain: { ...IN_TABLE, name: chainName(subnet) },
    content: [...own, returnTo(parsePrefix(multicast)), { expressions: [{ type: 'masquerade' }] }],
  }
}

function returnTo(prefix: Prefix): { readonly expressions: readonly NftExpression[] } {
  const { nfproto, destination, length } = families[familyOf(prefix.address)]
  return {
    expressions: [
      ...isProtocol(nfproto),
      { type: 'payload', base: 'network', offset: destination, length, register: REGISTER },
      { type: 'bitwise', source: REGISTER, register: REGISTER, mask: maskOf(prefix), xor: new Uint8Array(length) },
      { type: 'cmp', register: REGISTER, operator: 'eq', value: prefix.address },
      { type: 'verdict', verdict: 'return' },
    ],
  }
}

/** For the kernel the family is clear already; `nft list` needs it to show an address as one. */
function isProtocol(nfproto: number): NftExpression[] {
  return [
    { type: 'meta', key: 'nfproto', register: REGISTER },
    { type: 'cmp', register: REGISTER, operator: 'eq', value: Uint8Array.of(nfproto) },
  ]
}
