/**
 * What no other scenario makes the model decide: frames that are malformed, or for nobody, one after the other. docs/fidelity.md
 * says which decisions these are.
 */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { ScenarioStep } from '../../../src/oracle/scenario.ts'
import { toHex } from '../../../src/trace/hex.ts'
import { frame, icmp } from '../../model/ipv4/frames.ts'
import { bridged } from './branches-bridged.ts'
import { overIpv6 } from './branches-ipv6.ts'
import { links } from './branches-links.ts'
import { routed } from './branches-routed.ts'
import { tunnels } from './branches-tunnels.ts'
import { from, macs, onRig, run } from './rig.ts'
import { arp, asIcmp, router, sent, toRouter, UDP } from './router.ts'

/** To flannel.1 of n2, from n1. */
function tunnelled(payloads: readonly (readonly number[])[]): ScenarioStep[] {
  return payloads.map((payload, i) => {
    const datagram = Uint8Array.of(0x9c, 0x40, 0x21, 0x18, 0, 8 + payload.length, 0, 0, ...payload)
    const addresses = { source: '192.168.56.11', destination: '192.168.56.12', to: macs.n2 }
    return from('n1', toHex(frame({ ...addresses, payload: datagram, identification: 0x600 + i })))
  })
}

/** A frame to p3 by way of flannel.1 of n2. */
const inner = (identification: number) => [
  ...frame({ to: '02:f1:00:00:02:01', source: '10.244.0.2', destination: '10.244.1.2', identification }),
]

/** An IPv4 header of a packet that the router sent, and eight bytes of UDP: what errors quote. */
const quoted = frame({ source: '10.1.0.1', destination: '10.2.0.2' }).subarray(14)

const malformed: readonly FixedScenario[] = [
  router('B01', 'IPv4 headers that do not hold', [
    ...sent([
      { length: 10 },
      { version: 5 },
      { length: 400 },
      { wrongChecksum: true },
      { options: [30, 9, 1, 2] },
      { options: [30, 1, 1, 1] },
      { options: [148, 3, 0, 0] },
      { options: [148, 4, 0, 0] },
      { options: [1, 1, 1, 0] },
    ]),
  ]),
  router('B02', 'sources and destinations that cannot be', [
    ...sent([
      { destination: '0.0.0.0' },
      { destination: '224.5.5.5' },
      { destination: '224.0.0.1', source: '127.0.0.1' },
      { destination: '224.0.0.1', source: '224.0.0.9' },
      { destination: '224.0.0.1', source: '0.0.0.0' },
      { destination: '224.0.0.1' },
      { destination: '10.2.0.255' },
      { source: '10.1.0.255' },
      { source: '0.0.0.5' },
      { destination: '127.0.0.1' },
      { source: '240.0.0.1' },
      { destination: '10.1.0.1', protocol: 99, payload: 8 },
    ]),
  ]),
  router('B03', 'a unicast packet in a broadcast frame, where that is not wanted, and where it is', [
    ...sent([{ to: 'ff:ff:ff:ff:ff:ff' }, { to: '01:00:5e:00:00:01', destination: '10.1.0.1' }]),
    run('r', 'sysctl -qw net.ipv4.conf.r0.drop_unicast_in_l2_multicast=1'),
    ...sent([
      { to: 'ff:ff:ff:ff:ff:ff', identification: 0x201 },
      { to: '01:00:5e:00:00:01', identification: 0x202 },
    ]),
  ]),
  router('B04', 'ICMP that is cut off, unknown, or not answered', [
    ...sent([
      asIcmp(icmp(8, 0, [0, 1, 0, 1], 8).subarray(0, 6)),
      asIcmp(icmp(13, 0, [0, 1, 0, 1], 0)),
      asIcmp(icmp(15, 0, [0, 1, 0, 1], 0)),
      asIcmp(icmp(17, 0, [0, 1, 0, 1], 4)),
      asIcmp(icmp(4, 0, [0, 0, 0, 0], quoted)),
      asIcmp(icmp(19, 0, [0, 0, 0, 0], 4)),
      asIcmp(icmp(3, 3, [0, 0, 0, 0], quoted)),
      asIcmp(icmp(3, 3, [0, 0, 0, 0], quoted.subarray(0, 10))),
      asIcmp(icmp(3, 3, [0, 0, 0, 0], quoted.subarray(0, 22))),
      asIcmp(icmp(3, 3, [0, 0, 0, 0], 40)),
      asIcmp(icmp(11, 0, [0, 0, 0, 0], quoted)),
      asIcmp(icmp(12, 0, [0, 0, 0, 0], quoted)),
      asIcmp(icmp(42, 0, [0, 1, 0, 1], 4)),
      asIcmp(icmp(8, 0, [0, 1, 0, 1], 8), { destination: '10.1.0.255', to: 'ff:ff:ff:ff:ff:ff' }),
      asIcmp(icmp(13, 0, [0, 1, 0, 1], 12), { destination: '10.1.0.255', to: 'ff:ff:ff:ff:ff:ff' }),
      asIcmp(icmp(8, 0, [0, 1, 0, 1], 8), { source: '192.0.2.7' }),
    ]),
    run('r', 'sysctl -qw net.ipv4.icmp_echo_ignore_all=1'),
    ...sent([asIcmp(icmp(8, 0, [0, 1, 0, 2], 8), { identification: 0x301 })]),
  ]),
  router('B05', 'UDP that is cut off, or shorter than it says', [
    ...sent([
      { ...toRouter, protocol: UDP, payload: new Uint8Array(4) },
      { ...toRouter, protocol: UDP, payload: Uint8Array.of(15, 160, 15, 161, 0, 40, 0, 0, 1) },
      { ...toRouter, protocol: UDP, payload: Uint8Array.of(15, 160, 15, 161, 0, 4, 0, 0, 1) },
      { ...toRouter, protocol: UDP, payload: Uint8Array.of(15, 160, 15, 161, 0, 9, 0, 1, 1) },
      { destination: '10.1.0.255', to: 'ff:ff:ff:ff:ff:ff' },
    ]),
  ]),
  onRig(
    'B06',
    'VXLAN packets that hold no frame, or one that nobody takes',
    tunnelled([
      [8, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 1, 0, ...inner(1)],
      [8, 0, 0, 0, 0, 0, 99, 0, ...inner(2)],
      [8, 1, 0, 0, 0, 0, 1, 0, ...inner(3)],
      [8, 0, 0, 0, 0, 0, 1, 7, ...inner(4)],
      [8, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0],
      [8, 0, 0, 0, 0, 0, 1, 0, ...inner(5).slice(0, 14), 0x45, 0, 0, 29],
      [8, 0, 0, 0, 0, 0, 1, 0, ...inner(6).slice(0, 6), 0x02, 0xf1, 0, 0, 0x02, 0x01, ...inner(7).slice(12)],
      [8, 0, 0, 0, 0, 0, 1, 0, ...inner(8)],
    ]),
  ),
  ...[arp({ hardwareLength: 5 }), arp({}).slice(0, 60), arp({ operation: 3 }), arp({ target: [127, 0, 0, 1] })].map(
    (hex, i) => router(`B${String(7 + i).padStart(2, '0')}`, `ARP that cannot be, ${i + 1}`, [from('a', hex)]),
  ),
  router('B11', 'ARP that is not answered', [
    run('r', 'sysctl -qw net.ipv4.conf.r0.arp_ignore=1'),
    from('a', arp({ target: [10, 2, 0, 1] })),
  ]),
]

export const branches: readonly FixedScenario[] = [
  ...malformed,
  ...links,
  ...routed,
  ...bridged,
  ...tunnels,
  ...overIpv6,
]
