/** IPv4 packets that a router refuses, cuts up or waits for the rest of: what no other scenario makes the model decide. */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import { frame, icmp } from '../../model/ipv4/frames.ts'
import { run } from './rig.ts'
import { asIcmp, router, sent, toRouter } from './router.ts'

const IGMP = 2
const TCP = 6
const NOT_ECT = 0
const ECT = 2

/** The parts of one datagram to the router, of 24 bytes of data each. */
const part = (identification: number, offset: number, more: boolean, tos = NOT_ECT) => ({
  ...toRouter,
  identification,
  offset,
  moreFragments: more,
  tos,
  payload: 24,
})

/** A SYN that says so many words of header, where there are these bytes behind the first twenty. */
const syn = (words: number, ...options: readonly number[]) =>
  Uint8Array.of(15, 160, 15, 161, 0, 0, 0, 1, 0, 0, 0, 0, words << 4, 2, 4, 0, 0, 0, 0, 0, ...options)
const MSS_1460 = [2, 4, 5, 0xb4]

export const routed: readonly FixedScenario[] = [
  router('B20', 'with rp_filter, sources that nobody can have', [
    run('r', 'sysctl -qw net.ipv4.conf.r0.rp_filter=1'),
    ...sent([{ source: '10.1.0.255' }, { source: '10.2.0.255' }, { source: '10.9.0.1' }]),
  ]),
  router('B21', 'ICMP that is cut off in other places', [
    ...sent([
      asIcmp(icmp(8, 0, [0, 1], 0).subarray(0, 6)),
      asIcmp(icmp(5, 1, [10, 1, 0, 9], 12)),
      asIcmp(icmp(5, 1, [10, 1, 0, 9], frame({ source: '10.1.0.1' }).subarray(14))),
    ]),
  ]),
  router('B22', 'IGMP that comes to a host in no group', [
    ...sent([
      { ...toRouter, protocol: IGMP, payload: Uint8Array.of(0x16, 0, 0xe9, 0xff, 0, 0, 0, 0) },
      { destination: '224.0.0.1', to: '01:00:5e:00:00:01', protocol: IGMP, payload: 8, ttl: 1 },
    ]),
  ]),
  router(
    'B23',
    'fragments that the next link refuses',
    [run('r', 'ip link set r1 mtu 1300'), run('b', 'ip link set eth0 mtu 1000'), ...sent([{ payload: 1480 }])],
    { comparesEndings: false },
  ),
  router(
    'B24',
    'fragments of a datagram that others have overtaken',
    [
      run('r', 'sysctl -qw net.ipv4.ipfrag_max_dist=1'),
      ...sent([
        part(0x401, 0, true),
        part(0x402, 0, true),
        part(0x403, 0, true),
        part(0x404, 0, true),
        part(0x401, 24, false),
        part(0x401, 0, true),
      ]),
    ],
    { comparesEndings: false },
  ),
  router(
    'B25',
    'fragments that cannot be of one datagram',
    [...sent([part(0x501, 0, true, NOT_ECT), part(0x501, 24, false, ECT)])],
    { comparesEndings: false },
  ),
  router(
    'B26',
    'fragments of which the rest does not come',
    [
      run('r', 'sysctl -qw net.ipv4.ipfrag_time=1'),
      ...sent([part(0x601, 0, true), part(0x601, 24, true), part(0x602, 24, true)]),
    ],
    { tail: 1_600, comparesEndings: false },
  ),
  router('B27', 'rules that log, and let it pass', [
    run('r', 'iptables -A FORWARD -j LOG --log-prefix "forwarded "'),
    run('r', 'nft add table inet logs'),
    run('r', "nft 'add chain inet logs forward { type filter hook forward priority 10; }'"),
    run('r', 'nft add rule inet logs forward log prefix "again"'),
    ...sent([{}]),
  ]),
  router(
    'B28',
    'a segment whose largest size is to be made smaller, in fragments',
    [
      run('r', 'iptables -t mangle -A FORWARD -p tcp -j TCPMSS --set-mss 1000'),
      ...sent([
        { protocol: TCP, payload: syn(6, ...MSS_1460), moreFragments: true, identification: 0x801 },
        { protocol: TCP, payload: 16, offset: 24, identification: 0x801 },
      ]),
    ],
    { comparesEndings: false },
  ),
  router('B29', 'TCP headers that do not fit, or are none', [
    ...sent([
      { ...toRouter, protocol: TCP, payload: syn(15, ...MSS_1460) },
      { ...toRouter, protocol: TCP, payload: syn(4) },
      { ...toRouter, protocol: TCP, payload: 19 },
    ]),
  ]),
]
