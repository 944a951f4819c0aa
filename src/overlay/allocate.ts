/**
 * Which subnet a node gets: any of those that are free, from SubnetMin to SubnetMax, by chance, so that nodes which start
 * together seldom want the same. Flannel chooses among the first hundred, pkg/subnet/etcd/local_manager.go.
 */
import { type Family, formatIp, ipFromBigInt, ipToBigInt, parseIp } from '../address/ip.ts'
import { hostBits, networkOf, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { FamilyNetwork } from './config.ts'

/** Every subnet of the range is taken, at least in part. */
export class OutOfSubnets extends Error {
  override readonly name = 'OutOfSubnets'

  constructor({ network, subnetMin, subnetMax, subnetLen }: FamilyNetwork) {
    super(`out of subnets: all /${subnetLen} of ${network} from ${subnetMin} to ${subnetMax} are taken`)
  }
}

/**
 * A subnet of the network that overlaps none of `taken` (prefixes of either family). `random` answers a number from 0 to below
 * 1. OutOfSubnets when there is none.
 */
export function allocateSubnet(network: FamilyNetwork, taken: Iterable<string>, random: () => number): string {
  const size = sizeOf(network)
  const gaps = freeGaps(network, taken)
  let at = below(
    gaps.reduce((sum, { count }) => sum + count, 0n),
    random,
  )
  for (const { first, count } of gaps) {
    if (at < count) {
      const family: Family = network.network.includes(':') ? 'ipv6' : 'ipv4'
      return `${formatIp(ipFromBigInt(first + at * size, family))}/${network.subnetLen}`
    }
    at -= count
  }
  throw new OutOfSubnets(network)
}

/** What a number from 0 to below 1 can tell of. */
const CHANCES = 2 ** 53

/** A number from 0 to below `count`. */
function below(count: bigint, random: () => number): bigint {
  return (BigInt(Math.floor(random() * CHANCES)) * count) / BigInt(CHANCES)
}

/** Whether a node may have this subnet: it is of the configured length, and in the range. */
export function isAllocatable(network: FamilyNetwork, subnet: string): boolean {
  const { address, length } = parsePrefix(subnet)
  const [min, max] = [parseIp(network.subnetMin), parseIp(network.subnetMax)]
  if (length !== network.subnetLen || address.length !== min.length) return false
  const first = ipToBigInt(address)
  return ipToBigInt(min) <= first && first <= ipToBigInt(max)
}

/** So many subnets, one after the other. */
interface Gap {
  readonly first: bigint
  readonly count: bigint
}

function freeGaps(network: FamilyNetwork, taken: Iterable<string>): Gap[] {
  const min = parseIp(network.subnetMin)
  const size = sizeOf(network)
  const end = ipToBigInt(parseIp(network.subnetMax)) + size
  const gaps: Gap[] = []
  let first = ipToBigInt(min)
  for (const block of [...takenBlocks(taken, min.length), { first: end, end }]) {
    if (block.end < first) continue
    const count = ((block.first < end ? block.first : end) - first) / size
    if (count > 0n) gaps.push({ first, count })
    // Behind the block, on the next boundary: subnets are aligned to their size.
    first = (block.end / size + 1n) * size
  }
  return gaps
}

/** Addresses of a subnet. */
function sizeOf({ subnetMin, subnetLen }: FamilyNetwork): bigint {
  return 1n << BigInt(hostBits({ address: parseIp(subnetMin), length: subnetLen }))
}

interface Block {
  readonly first: bigint
  readonly end: bigint
}

/** In order, each behind the one before it: two prefixes are apart, or one holds the other. */
function takenBlocks(taken: Iterable<string>, bytes: number): Block[] {
  const blocks: Block[] = []
  for (const text of taken) {
    const prefix = parsePrefix(text)
    if (prefix.address.length === bytes) blocks.push(blockOf(prefix))
  }
  blocks.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  let end = -1n
  return blocks.filter((block) => {
    const isHeld = block.end <= end
    if (!isHeld) end = block.end
    return !isHeld
  })
}

function blockOf(prefix: Prefix): Block {
  const first = ipToBigInt(networkOf(prefix).address)
  return { first, end: first + (1n << BigInt(hostBits(prefix))) - 1n }
}
