/**
 * The traffic rules of several networks on one node: of each a daemon, and all in the same chains, which flannel has given
 * their names. So that none takes the others' rules for a stranger's, every daemon wants all of them, in the same order.
 * With one network the chains are flannel's, to the letter.
 */
import type { Subscription } from '../../kernel/live.ts'
import type { ChainContent, GuestChain, State } from '../../reconcile/state.ts'
import type { NetworkConfig } from '../config.ts'
import type { Lease } from '../lease.ts'
import { noTrafficRules, trafficRules } from './rules.ts'
import type { TrafficOptions } from './traffic.ts'

/** What a daemon's rules are made of. */
export interface NetworkRules {
  readonly config: Pick<NetworkConfig, 'ipv4' | 'ipv6' | 'nftables'>
  readonly lease: Lease
  readonly options: TrafficOptions
}

/** What daemons of several networks on one node tell each other. */
export interface OtherNetworks {
  /** Of ours. subnet.env is there. */
  publish(rules: NetworkRules): void
  list(): readonly NetworkRules[]
  watch(onChange: () => void): Subscription
}

export function sharedRules(networks: readonly NetworkRules[]): State {
  const states = [...networks].sort(byNetwork).map(({ config, lease, options }) =>
    // No rule depends on the backend.
    trafficRules({ ...config, backend: { type: 'alloc' } }, lease, options),
  )
  const guests = new Map<string, GuestChain>()
  for (const guest of states.flatMap(({ nftGuests = [] }) => nftGuests)) {
    const key = `${guest.family} ${guest.table} ${guest.name}`
    guests.set(key, { ...guest, content: [...(guests.get(key)?.content ?? []), ...guest.content] })
  }
  const chains = new Map<string, ChainContent>()
  for (const { chain, content = [] } of states.flatMap(({ nftChains = [] }) => nftChains)) {
    const key = `${chain.family} ${chain.table} ${chain.name}`
    chains.set(key, { chain, content: [...(chains.get(key)?.content ?? []), ...content] })
  }
  const tables = states.flatMap(({ nftTables = [] }) => nftTables)
  return {
    ...noTrafficRules,
    ...(guests.size > 0 && { nftGuests: [...guests.values()] }),
    ...(chains.size > 0 && { nftChains: [...chains.values()] }),
    ...(tables.length > 0 && {
      nftTables: tables.filter((table, i) => tables.findIndex((one) => one.family === table.family) === i),
    }),
  }
}

function byNetwork(one: NetworkRules, other: NetworkRules): number {
  const [a, b] = [one, other].map(({ config: { ipv4, ipv6 } }) => `${ipv4?.network} ${ipv6?.network}`)
  return a! < b! ? -1 : a! > b! ? 1 : 0
}
