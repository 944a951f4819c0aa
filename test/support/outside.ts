/**
 * A network that the node reaches and that knows no pods:
 *
 *   pods ── bridge ── node 198.51.100.1 ──veth── 198.51.100.2 outside
 *                          2001:db8:5::1         2001:db8:5::2
 *
 * Nobody outside has a route to the pods, so an answer to a pod proves the masquerade.
 */
import { run } from './command.ts'

export const OUTSIDE = '198.51.100.2'
export const OUTSIDE6 = '2001:db8:5::2'

/** The node's interface to it. */
export const UPLINK = 'uplink'

export function makeOutside(): void {
  run('ip', 'netns', 'add', 'outside')
  run('ip', 'link', 'add', UPLINK, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'outside')
  for (const address of ['198.51.100.1/24', '2001:db8:5::1/64']) {
    run('ip', 'address', 'add', address, 'dev', UPLINK, ...(address.includes(':') ? ['nodad'] : []))
  }
  run('ip', 'link', 'set', UPLINK, 'up')
  for (const address of [`${OUTSIDE}/24`, `${OUTSIDE6}/64`]) {
    run('ip', '-n', 'outside', 'address', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []))
  }
  run('ip', '-n', 'outside', 'link', 'set', 'eth0', 'up')
}
