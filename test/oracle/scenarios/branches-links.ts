/** Links, neighbours and ARP, where something is not there: what no other scenario makes the model decide. */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import { MAC } from '../../model/ipv4/frames.ts'
import { from, run } from './rig.ts'
import { arp, router, sent } from './router.ts'

/** Milliseconds: until Linux has told everybody that a carrier is gone. */
const LINKWATCH = 1_500

const known = run('r', `ip neighbour replace 10.2.0.2 lladdr ${MAC.b0} dev r1 nud permanent`)
/** a asks the router for what lies behind it. */
const askFor = (last: number) => from('a', arp({ target: [10, 2, 0, last] }))
const asProxy = run('r', 'sysctl -qw net.ipv4.conf.r0.proxy_arp=1')

export const links: readonly FixedScenario[] = [
  router('B12', 'a link whose other end is down', [
    known,
    run('b', 'ip link set eth0 down'),
    { wait: LINKWATCH },
    ...sent([{}]),
  ]),
  router('B13', 'a host that has its loopback down speaks with itself', [
    run('r', 'ip link set lo down'),
    run('r', 'ping -c 1 -W 1 10.1.0.1 || ip link set lo up'),
    ...sent([{}]),
  ]),
  router(
    'B14',
    'more waits for a neighbour than there is room for',
    [
      run('r', 'sysctl -qw net.ipv4.neigh.r1.unres_qlen_bytes=4096'),
      ...sent(Array.from({ length: 8 }, () => ({ destination: '10.2.0.9' }))),
      from('b', arp({ to: MAC.r1, from: MAC.b0, operation: 2, sender: [10, 2, 0, 9], target: [10, 2, 0, 1] })),
    ],
    { comparesEndings: false },
  ),
  router('B15', 'a neighbour that may not be asked for', [
    run('r', 'sysctl -qw net.ipv4.neigh.r1.mcast_solicit=0 net.ipv4.neigh.r1.app_solicit=0'),
    ...sent([{ destination: '10.2.0.9' }]),
  ]),
  router(
    'B16',
    'a proxy with more questions than it may keep',
    [asProxy, run('r', 'sysctl -qw net.ipv4.neigh.r0.proxy_qlen=0'), askFor(2), askFor(3), askFor(4)],
    { tail: 1_000, tolerance: 900 },
  ),
  router(
    'B17',
    'a proxy whose link goes down before it has answered',
    [asProxy, askFor(2), run('r', 'ip link set r0 down')],
    { tail: 1_000, tolerance: 900 },
  ),
  router('B18', 'a question for a broadcast address, and for one of an anycast route', [
    run('r', 'ip route add anycast 10.9.0.0/24 dev r1'),
    from('a', arp({ target: [10, 1, 0, 255] })),
    from('a', arp({ target: [255, 255, 255, 255] })),
    from('a', arp({ target: [10, 9, 0, 1] })),
    ...sent([{ destination: '10.9.0.1' }]),
  ]),
]
