/**
 * Settings that came after the oldest kernel there is a profile of, and what a kernel does that has them not yet. Source: the
 * commits that brought them, in 6.5, 6.13 and 6.17.
 */
import type { Profile } from './profile.ts'

/** Keys as in Profile.values; a device's stand under `default`. */
const WITHOUT: Readonly<Record<string, string>> = {
  // It is drawn when the machine boots: which next hop a flow takes cannot be told.
  'net/ipv4/fib_multipath_hash_seed': '0',
  'net/ipv4/tcp_rto_max_ms': '120000',
  'net/ipv4/tcp_rto_min_us': '200000',
  'net/ipv4/tcp_syn_linear_timeouts': '0',
  'net/ipv6/conf/all/force_forwarding': '0',
  'net/ipv6/conf/default/force_forwarding': '0',
  'net/ipv6/conf/lo/force_forwarding': '0',
}

/** What the model asks for: the profile's values, and what its kernel does for those that it has not. */
export function allValues({ values }: Profile): Readonly<Record<string, string>> {
  return { ...WITHOUT, ...values }
}

/** Whether the kernel has no such setting, though the model goes by it. */
export function isMissing({ values }: Profile, key: string): boolean {
  const known = key.replace(/^(net\/ipv6\/conf\/)[^/]+\//, '$1default/')
  return known in WITHOUT && !(known in values)
}
