/** What the commands of `overlab pool` do, and print. */
import { readIp } from '../../address/ip.ts'
import { addressAt, ordinalOf } from '../../pool/block.ts'
import { readBlocks, usageOf } from '../../pool/blocks.ts'
import { removeNode as removeNodeSteps } from '../../pool/collect.ts'
import { readNodes } from '../../pool/nodes.ts'
import { addressesIn, type Pool } from '../../pool/pool.ts'
import { changePool, createPool, deletePool } from '../../pool/pools.ts'
import { releaseAddress } from '../../pool/release.ts'
import { changeSettings, readSettings } from '../../pool/settings.ts'
import type { Steps } from '../../pool/steps.ts'
import { CommandError, Exit } from '../exit.ts'
import { complain, print, table } from '../output.ts'
import type { PoolFlags, SettingFlags, StoreFlags } from './flags.ts'
import { inStore } from './store.ts'

const done = <T>(flags: StoreFlags, steps: Steps<T>): Promise<T> => inStore(flags, complain, steps)

export async function list(flags: StoreFlags): Promise<number> {
  const rows = await done(flags, usageOf())
  print(flags.output, rows, () =>
    table(
      ['POOL', 'BLOCKS', 'IN USE', 'OF', 'VXLAN', 'NAT', 'BGP', 'NODES'],
      rows.map(({ pool, blocks, used }) => [
        pool.cidr + (pool.disabled ? ' (disabled)' : ''),
        `${blocks} of /${pool.blockSize}`,
        `${used}`,
        `${addressesIn(pool.cidr)}`,
        pool.vxlanMode,
        pool.natOutgoing ? 'yes' : 'no',
        pool.disableBGPExport ? 'no' : 'yes',
        pool.nodeSelector,
      ]),
    ),
  )
  return Exit.yes
}

export async function create(flags: StoreFlags & PoolFlags, cidr: string): Promise<number> {
  const { blockSize, disabled } = flags
  const given = {
    cidr,
    ...changesIn(flags),
    ...(blockSize !== undefined && { blockSize }),
    ...(disabled && { disabled }),
  }
  return told(flags, await done(flags, createPool(given)))
}

export async function set(flags: StoreFlags & PoolFlags, cidr: string): Promise<number> {
  const { enable, disable, bgpExport } = flags
  if (enable && disable) throw new CommandError(Exit.usage, 'Cannot both --enable and --disable a pool')
  const changes = {
    ...changesIn(flags),
    ...((enable || disable) && { disabled: disable === true }),
    ...(bgpExport && { disableBGPExport: false }),
  }
  return told(flags, await done(flags, changePool(cidr, changes)))
}

export async function remove(flags: StoreFlags, cidr: string): Promise<number> {
  await done(flags, deletePool(cidr))
  print(flags.output, { deleted: cidr }, () => `Pool ${cidr} is deleted`)
  return Exit.yes
}

/** Exit status 1 when nobody has the address. */
export async function show(flags: StoreFlags, address?: string): Promise<number> {
  const blocks = await done(flags, readBlocks())
  if (address === undefined) {
    const rows = blocks.map(({ cidr, node, allocations, unallocated }) => {
      return { block: cidr, node: node ?? null, used: allocations.size, free: unallocated.length }
    })
    print(flags.output, rows, () =>
      table(
        ['BLOCK', 'NODE', 'IN USE', 'FREE'],
        rows.map(({ block, node, used, free }) => [block, node ?? '–', `${used}`, `${free}`]),
      ),
    )
    return Exit.yes
  }
  requireAddress(address)
  const block = blocks.find((each) => ordinalOf(each, address) !== undefined)
  const ordinal = block && ordinalOf(block, address)
  const allocation = ordinal === undefined ? undefined : block?.allocations.get(ordinal)
  if (!block || !allocation) {
    print(flags.output, null, () => `Nobody has ${address}`)
    return Exit.no
  }
  const { handle, attributes, sequence } = allocation
  const json = {
    address: addressAt(block, ordinal!),
    block: block.cidr,
    blockOf: block.node ?? null,
    handle,
    attributes,
    sequence,
  }
  print(flags.output, json, () =>
    table(
      ['ADDRESS', json.address],
      [
        ['block', `${block.cidr} of ${block.node ?? 'nobody'}`],
        ['handle', handle],
        ...Object.entries(attributes).map(([key, value]) => [key, value]),
      ],
    ),
  )
  return Exit.yes
}

/** Exit status 1 when nobody had it. */
export async function release(flags: StoreFlags, address: string): Promise<number> {
  requireAddress(address)
  const released = await done(flags, releaseAddress(address))
  print(flags.output, { released }, () => (released ? `${address} is free` : `Nobody has ${address}`))
  return released ? Exit.yes : Exit.no
}

export async function nodes(flags: StoreFlags): Promise<number> {
  const all = await done(flags, readNodes())
  print(flags.output, all, () =>
    table(
      ['NODE', 'ADDRESS', 'AS', 'REFLECTS FOR', 'VTEP', 'LABELS'],
      all.map(({ name, ipv4, ipv6, as, routeReflectorClusterId, vtep, labels }) => [
        name,
        [ipv4, ipv6].filter((address) => address !== undefined).join(' '),
        `${as}`,
        routeReflectorClusterId ?? '–',
        vtep?.mac ?? '–',
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(' ') || '–',
      ]),
    ),
  )
  return Exit.yes
}

export async function removeNode(flags: StoreFlags, node: string): Promise<number> {
  const { addresses, blocks } = await done(flags, removeNodeSteps(node))
  print(
    flags.output,
    { addresses, blocks },
    () => `Node ${node} had ${addresses.length} addresses in use, and ${blocks.length} blocks`,
  )
  return Exit.yes
}

export async function settings(flags: StoreFlags & SettingFlags): Promise<number> {
  const { strictAffinity, autoAllocateBlocks, maxBlocksPerHost } = flags
  const changes = {
    ...(strictAffinity !== undefined && { strictAffinity }),
    ...(autoAllocateBlocks !== undefined && { autoAllocateBlocks }),
    ...(maxBlocksPerHost !== undefined && { maxBlocksPerHost }),
  }
  const now = await done(flags, Object.keys(changes).length > 0 ? changeSettings(changes) : readSettings())
  print(flags.output, now, () =>
    table(
      ['SETTING', 'VALUE'],
      Object.entries(now).map(([name, value]) => [
        name,
        typeof value === 'boolean' ? (value ? 'yes' : 'no') : `${value}`,
      ]),
    ),
  )
  return Exit.yes
}

function told(flags: StoreFlags, pool: Pool): number {
  print(flags.output, pool, () =>
    table(
      ['POOL', pool.cidr],
      Object.entries(pool)
        .slice(1)
        .map(([key, value]) => [key, `${value}`]),
    ),
  )
  return Exit.yes
}

function changesIn({ vxlanMode, natOutgoing, nodeSelector, disableBgpExport }: PoolFlags): Partial<Pool> {
  return {
    ...(vxlanMode !== undefined && { vxlanMode }),
    ...(natOutgoing !== undefined && { natOutgoing }),
    ...(nodeSelector !== undefined && { nodeSelector }),
    ...(disableBgpExport && { disableBGPExport: true }),
  }
}

function requireAddress(text: string): void {
  if (!readIp(text)) throw new CommandError(Exit.usage, `Cannot use "${text}": it is no IP address`)
}
