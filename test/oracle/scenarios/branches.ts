/**
 * What no other scenario makes the model decide: frames that are malformed, or for nobody, one after the other. docs/fidelity.md
 * says which decisions these are.
 */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { Scenario, ScenarioStep } from '../../../src/oracle/scenario.ts'
import { toHex } from '../../../src/trace/hex.ts'
import { type Frame, frame, icmp, MAC } from '../../model/ipv4/frames.ts'
import { from, macs, onRig, run } from './rig.ts'

/** a – r – b. */
function router(id: string, title: string, steps: readonly ScenarioStep[]): FixedScenario {
  const scenario: Scenario = {
    id,
    topology: {
      name: id,
      topology: {
        nodes: {
          a: { routes: [{ to: 'default', via: '10.1.0.1' }] },
          r: { sysctls: { 'net.ipv4.ip_forward': 1 } },
          b: { routes: [{ to: 'default', via: '10.2.0.1' }] },
        },
        links: [
          {
            endpoints: [
              { node: 'a', interface: 'eth0', mac: MAC.a0 },
              { node: 'r', interface: 'r0', mac: MAC.r0 },
            ],
            ipv4: ['10.1.0.2/24', '10.1.0.1/24'],
          },
          {
            endpoints: [
              { node: 'b', interface: 'eth0', mac: MAC.b0 },
              { node: 'r', interface: 'r1', mac: MAC.r1 },
            ],
            ipv4: ['10.2.0.2/24', '10.2.0.1/24'],
          },
        ],
      },
    },
    warm: [['a', '10.2.0.2']],
    // Errors are told as often as there is something to tell.
    steps: [run('r', 'sysctl -qw net.ipv4.icmp_ratelimit=0'), ...steps],
    watch: ['a:eth0', 'r:r0', 'r:r1', 'b:eth0'],
    show: ['10.'],
  }
  return { title, scenario }
}

/** Identifications count up: every frame is known by its own. */
const sent = (frames: readonly Frame[]): ScenarioStep[] =>
  frames.map((each, i) => from('a', toHex(frame({ identification: 0x100 + i, ...each }))))

const ICMP = 1
const UDP = 17
const toRouter = { destination: '10.1.0.1' } as const
const asIcmp = (payload: Uint8Array, more: Frame = {}): Frame => ({ ...toRouter, protocol: ICMP, payload, ...more })
/** An IPv4 header of a packet that the router sent, and eight bytes of UDP: what errors quote. */
const quoted = frame({ source: '10.1.0.1', destination: '10.2.0.2' }).subarray(14)

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

interface ArpParts {
  readonly to?: string
  readonly hardware?: number
  readonly hardwareLength?: number
  readonly protocolLength?: number
  readonly operation?: number
  readonly target?: readonly number[]
}

/** A question of a's, byte by byte: RFC 826. */
function arp({ to = 'ff:ff:ff:ff:ff:ff', ...parts }: ArpParts): string {
  const { hardware = 1, hardwareLength = 6, protocolLength = 4, operation = 1, target = [10, 1, 0, 1] } = parts
  const bytesOf = (mac: string) => mac.split(':').map((part) => Number.parseInt(part, 16))
  const [a, nobody] = [bytesOf(MAC.a0), [0, 0, 0, 0, 0, 0]]
  const header = [0, hardware, 8, 0, hardwareLength, protocolLength, 0, operation]
  return toHex(Uint8Array.of(...bytesOf(to), ...a, 8, 6, ...header, ...a, 10, 1, 0, 2, ...nobody, ...target))
}

export const branches: readonly FixedScenario[] = [
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
