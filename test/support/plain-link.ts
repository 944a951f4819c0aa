/** A link of which only name and kind must be told: nothing is set, and it has no parts of any kind. */
import type { Link } from '../../src/kernel/link.ts'

export const plainLink: Link = {
  index: 0,
  name: '',
  kind: undefined,
  mac: '02:00:00:00:00:01',
  macOrigin: 'random',
  mtu: 1500,
  up: false,
  operState: 'down',
  promiscuous: false,
  allMulticast: false,
  master: undefined,
  parent: undefined,
  parentNamespaceId: undefined,
  alias: undefined,
  txQueueLength: 1000,
  group: 0,
  bridge: undefined,
  port: undefined,
  vxlan: undefined,
  macvlan: undefined,
  vlan: undefined,
}
