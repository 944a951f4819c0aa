/** IPv6 that is malformed, or for nobody, one frame after the other: what no other scenario makes the model decide. */
import { parseIpv6 } from '../../../src/address/ipv6.ts'
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import { toHex } from '../../../src/trace/hex.ts'
import {
  advertisement,
  behind,
  echo,
  type Frame,
  fragment,
  frame,
  icmp,
  icmpBytes,
  MAC,
  macOption,
  Protocol,
  solicitation,
  tcpSegment,
  udp,
} from '../../model/ipv6/frames.ts'
import { from, run } from './rig.ts'
import { router6, sent6 } from './router.ts'

const SYN = 2
const toRouter = { destination: 'fd01::1' } as const

/** Neighbour discovery, to the router: RFC 4861 has it heard with a hop limit of 255 alone. */
const discovery = (payload: Frame['payload'], more: Frame = {}): Frame => ({
  ...toRouter,
  protocol: Protocol.icmp,
  hopLimit: 255,
  payload: payload!,
  ...more,
})
/** An option whose length is 0. */
const BAD = [1, 0, 0, 0, 0, 0, 0, 0]
const FROM_ROUTER = { source: 'fe80::a', destination: 'ff02::1', to: '33:33:00:00:00:01' }
const target = (address: string, ...options: number[]) => Uint8Array.from([...parseIpv6(address), ...options])
const datagram = udp(4000, 4001, 40)(parseIpv6('fd01::2'), parseIpv6('fd01::1'))
const piece = (offset: number, length: number, more: boolean, rest: Frame = {}) =>
  from('a', toHex(fragment({ ...toRouter, ...rest }, datagram.slice(offset, offset + length), offset, more)))

export const overIpv6: readonly FixedScenario[] = [
  router6('B50', 'TCP over IPv6 that a rule answers with a reset', [
    run('r', 'ip6tables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset'),
    ...sent6([{ protocol: Protocol.tcp, payload: tcpSegment(4000, 80, SYN) }]),
  ]),
  router6('B51', 'IPv6 headers that do not hold', [
    from('a', toHex(frame(toRouter).subarray(0, 50))),
    run('r', 'sysctl -qw net.ipv6.conf.r0.drop_unicast_in_l2_multicast=1'),
    ...sent6([
      { ...toRouter, to: '33:33:00:00:00:01' },
      { ...toRouter, protocol: Protocol.options, payload: behind(Protocol.udp, [1, 0], udp(1, 2, 0)), length: 6 },
      { ...toRouter, protocol: Protocol.options, payload: () => Uint8Array.of(17, 9, 1, 4, 0, 0, 0, 0) },
      { ...toRouter, protocol: Protocol.hopByHop, payload: () => Uint8Array.of(17, 9, 1, 4, 0, 0, 0, 0) },
      { ...toRouter, protocol: Protocol.routing, payload: () => Uint8Array.of(17, 9, 0, 0, 0, 0, 0, 0) },
      { ...toRouter, protocol: Protocol.icmp, payload: (a, b) => icmp(128, 0, [0, 0, 0, 0], 0)(a, b).subarray(0, 4) },
    ]),
    run('r', 'sysctl -qw net.ipv6.icmp.echo_ignore_all=1'),
    ...sent6([{ ...toRouter, protocol: Protocol.icmp, payload: echo() }], 0x200),
    run('r', 'sysctl -qw net.ipv6.conf.r0.disable_ipv6=1'),
    ...sent6([{ ...toRouter, payload: 3 }], 0x300),
  ]),
  router6('B52', 'neighbour discovery that is not to be heard', [
    ...sent6([
      discovery(solicitation('fd01::1'), { hopLimit: 64 }),
      discovery(icmp(135, 0, [0, 0, 0, 0], 4)),
      discovery(solicitation('ff02::1')),
      discovery(solicitation('fd01::1', BAD)),
      discovery(solicitation('fd01::99')),
      discovery(icmp(136, 0, [0, 0, 0, 0], 4)),
      discovery(advertisement('ff02::1', 0x40)),
      discovery(advertisement('fd01::2', 0x60, BAD)),
    ]),
    from(
      'a',
      toHex(
        fragment(discovery(undefined), solicitation('fd01::1')(parseIpv6('fd01::2'), parseIpv6('fd01::1')), 0, false),
      ),
    ),
    run('r', 'sysctl -qw net.ipv6.conf.r0.drop_unsolicited_na=1'),
    ...sent6(
      [discovery((a, b) => icmp(136, 0, [0x20, 0, 0, 0], target('fd01::2', ...macOption(2, MAC.a0)))(a, b))],
      0x200,
    ),
  ]),
  router6(
    'B53',
    'fragments of IPv6 that contradict each other',
    [piece(0, 24, true), piece(0, 24, true), piece(8, 24, true), piece(24, 24, false, { traffic: 2 })],
    { comparesEndings: false },
  ),
  router6(
    'B54',
    'fragments of IPv6 that cannot be of one datagram',
    [piece(0, 24, true), piece(24, 24, false, { traffic: 2 })],
    { comparesEndings: false },
  ),
  router6(
    'B55',
    'a proxy of IPv6 with more questions than it may keep',
    [
      run('r', 'ip -6 neighbour add proxy fd01::77 dev r0'),
      run('r', 'sysctl -qw net.ipv6.conf.r0.proxy_ndp=1 net.ipv6.neigh.r0.proxy_qlen=0'),
      ...sent6(
        [1, 2, 3].map((i) =>
          discovery(solicitation('fd01::77', [...macOption(1, MAC.a0)]), {
            destination: 'ff02::1:ff00:77',
            to: '33:33:ff:00:00:77',
            label: i,
          }),
        ),
      ),
    ],
    { tail: 1_000, tolerance: 900, comparesEndings: false },
  ),
  router6(
    'B56',
    'discovery of routers that is not to be heard',
    [
      ...sent6([
        discovery(icmp(133, 0, [0, 0, 0, 0], Uint8Array.from(BAD))),
        discovery(icmp(133, 0, [0, 0, 0, 0], Uint8Array.from(macOption(1, MAC.a0)))),
        discovery(icmp(134, 0, [0, 0, 0, 0], 4), FROM_ROUTER),
        discovery(icmp(134, 0, [0, 0, 0, 0], Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, ...BAD])), FROM_ROUTER),
        discovery(icmp(134, 0, [0, 0, 0, 0], 8), FROM_ROUTER),
      ]),
    ],
    { comparesEndings: false },
  ),
  router6('B57', 'an inet table that translates IPv4 lets IPv6 pass', [
    run('r', 'nft add table inet both'),
    run('r', "nft 'add chain inet both to { type nat hook prerouting priority dstnat; }'"),
    run('r', 'nft add rule inet both to dnat ip to 10.9.9.9'),
    ...sent6([{}]),
    // IPv6 has connections only now, and the chain none of its packets before.
    run('r', 'nft add rule inet both to udp dport 9 dnat ip6 to fd02::9'),
    ...sent6([{}], 0x200),
  ]),
  router6('B62', 'ICMPv6 that is shorter than its header, or whose code nobody knows', [
    ...sent6([
      { ...toRouter, protocol: Protocol.icmp, payload: icmpBytes([128, 0, 0, 0]) },
      { ...toRouter, protocol: Protocol.icmp, payload: icmpBytes([128, 0, 0, 0, 0, 7]) },
      discovery(icmp(135, 1, [0, 0, 0, 0], target('fd01::1'))),
      discovery(icmp(136, 2, [0, 0, 0, 0], target('fd01::2'))),
      { ...toRouter, protocol: Protocol.icmp, payload: echo() },
    ]),
  ]),
  router6('B63', 'a fragment within a fragment', [
    ...sent6([
      {
        ...toRouter,
        protocol: Protocol.fragment,
        payload: behind(Protocol.fragment, [0, 0, 0, 0, 0, 7], behind(Protocol.icmp, [0, 0, 0, 0, 0, 8], echo())),
      },
    ]),
  ]),
  router6(
    'B64',
    'a datagram of IPv6 whose rest never comes',
    [run('r', 'sysctl -qw net.ipv6.ip6frag_time=1'), piece(0, 24, true), { wait: 1_500 }, ...sent6([{}])],
    { tolerance: 300 },
  ),
  router6('B65', 'a link-local address that a router stands for', [
    run('r', 'ip -6 address add fe80::1/64 dev r0 nodad'),
    run('r', 'ip -6 neighbour add proxy fe80::77 dev r0'),
    run('r', `ip -6 neighbour add fe80::a0 lladdr ${MAC.a0} dev r0`),
    run('r', 'sysctl -qw net.ipv6.conf.all.proxy_ndp=1'),
    ...sent6([
      { destination: 'fe80::77', source: 'fe80::a0' },
      { destination: 'fe80::77', source: 'fe80::a0', protocol: Protocol.icmp, payload: echo() },
    ]),
  ]),
]
