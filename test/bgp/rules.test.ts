/** By what address peers are told of us: RFC 4271 §5.1.3, RFC 8950 §3. */
import { expect, test } from 'vitest'
import { negotiate } from '../../src/bgp/capability/negotiation.ts'
import { openOf } from '../../src/bgp/peer-settings.ts'
import { exportRules, Filters } from '../../src/bgp/rules.ts'
import { neighbour } from './lab.ts'

const ours = { ipv4: '10.0.0.1', ipv6: 'fd00::1', linkLocal: 'fe80::1' }
const identity = { as: 64512, routerId: 1, clusterIds: [], filters: new Filters() }

// address of the peer, whether both sides may have IPv6 next hops for IPv4, what own IPv4 routes go by
const rows = [
  { peer: 'fd00::2', theirs: true, mine: true, nextHop: { ...ours, ipv4: undefined } },
  { peer: 'fd00::2', theirs: false, mine: true, nextHop: ours },
  { peer: 'fd00::2', theirs: true, mine: false, nextHop: ours },
  { peer: '10.0.0.2', theirs: true, mine: true, nextHop: ours },
]

for (const { peer, theirs, mine, nextHop } of rows) {
  test(`towards ${peer}, IPv6 next hops for IPv4: here ${mine}, there ${theirs}`, () => {
    const settings = neighbour(peer, { remoteAs: 64513, families: ['ipv4', 'ipv6'], extendedNextHop: mine })
    const open = (as: number, id: number, extendedNextHop: boolean) =>
      openOf({ ...settings.session, localAs: as, extendedNextHop }, id, { restarting: false, forwarding: () => false })
    const negotiated = negotiate(open(64512, 1, mine), open(64513, 2, theirs), { as: 64513, required: [] })
    expect(exportRules(identity, settings, 'ipv4', negotiated, ours, false).localAddress).toEqual(nextHop)
  })
}
