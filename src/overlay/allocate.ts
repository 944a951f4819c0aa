/**
 * Which subnet a node gets: as flannel chooses, pkg/subnet/etcd/local_manager.go. The first hundred that are free, from
 * SubnetMin on, are candidates, and one of them is taken at random, so that nodes which start together seldom want the same.
 */
import { type Family, formatIp, ipFromBigInt, ipToBigInt, parseIp } from '../address/ip.ts'
import { hostBits, networkOf, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { FamilyNetwork } from './config.ts'

const MOST_CANDIDATES = 100

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
  const candidates = freeSubnets(network, taken)
  if (candidates.length === 0) throw new OutOfSubnets(network)
  return candidates[Math.floor(random() * candidates.length)]!
}

/** Whether a node may have this subnet: it is of the configured length, and in the range. */
export function isAllocatable(network: FamilyNetwork, subnet: string): boolean {
  const { address, length } = parsePrefix(subnet)
  const [min, max] = [parseIp(network.subnetMin), parseIp(network.subnetMax)]
  if (length !== network.subnetLen || address.length !== min.length) return false
  const first = ipToBigInt(address)
  return ipToBigInt(min) <= first && first <= ipToBigInt(max)
}

function freeSubnets(network: FamilyNetwork, taken: Iterable<string>): string[] {
  const min = parseIp(network.subnetMin)
  const family: Family = min.length === 4 ? 'ipv4' : 'ipv6'
  const size = 1n << BigInt(hostBits({ address: min, length: network.subnetLen }))
  const last = ipToBigInt(parseIp(network.subnetMax))
  const blocks = takenBlocks(taken, min.length)
  const free: string[] = []
  let next = 0
  for (let first = ipToBigInt(min); first <= last && free.length < MOST_CANDIDATES; ) {
    while (next < blocks.length && blocks[next]!.end < first) next++
    const block = blocks[next]
    if (block && block.first < first + size) {
      // Behind the block, on the next boundary: subnets are aligned to their size.
      first = (block.end / size + 1n) * size
      continue
    }
    free.push(`${formatIp(ipFromBigInt(first, family))}/${network.subnetLen}`)
    first += size
  }
  return free
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
