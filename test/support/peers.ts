/** Where set-up put the programs of others: scripts/debian-packages.mjs names the packages. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { bgpPeersFolder } from '../../scripts/bgp-peers.mjs'

const cache = join(import.meta.dirname, '../../.cache/debian')

/** A Debian package's unpacked files. */
export function debianPackage(name: string): string {
  const folder = join(cache, name)
  if (!existsSync(folder)) throw new Error(`Cannot find ${folder}: run "node scripts/setup.mjs test"`)
  return folder
}

/** CNI_PATH of the reference plugins, 1.9.1. */
export function referencePlugins(): string {
  return join(debianPackage('containernetworking-plugins'), 'usr/lib/cni')
}

/** $BGP_PEERS: BIRD, GoBGP and FRR, by the names of test/interop/peers/bgp-peers. */
export function bgpPeers(): string {
  const folder = bgpPeersFolder(join(import.meta.dirname, '../..'))
  if (!existsSync(folder)) throw new Error(`Cannot find ${folder}: run "node scripts/setup.mjs test"`)
  return folder
}
