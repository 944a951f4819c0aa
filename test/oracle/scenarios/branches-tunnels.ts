/** What VXLAN devices do not send or take, and what becomes of what they have sent: what no other scenario makes the model decide. */
import type { TopologyInterface } from '../../../src/lab/topology.ts'
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { ScenarioStep } from '../../../src/oracle/scenario.ts'
import { toHex } from '../../../src/trace/hex.ts'
import { frame } from '../../model/ipv4/frames.ts'
import { echo, udp } from './frames.ts'
import { from, macs, onRig, run, ways } from './rig.ts'

/** flannel.1 of n1, and what n1 knows as that of n2. */
const VTEP = '02:f1:00:00:01:01'
const FAR_VTEP = '02:f1:00:00:02:01'

const entry = (mac: string, destination: string) => run('n1', `bridge fdb add ${mac} dev flannel.1 dst ${destination}`)
const throughTunnel = (to: string, id: number) =>
  from('n1', udp({ from: VTEP, to, source: '10.244.0.0', destination: '10.244.1.2', id }), 'flannel.1')

/** VNI 9, to n2: what a frame with such a source is. */
function learnt(source: string, identification: number): ScenarioStep {
  const inner = frame({ to: FAR_VTEP, identification })
  inner.set(
    source.split(':').map((part) => Number.parseInt(part, 16)),
    6,
  )
  const vxlan = [8, 0, 0, 0, 0, 0, 9, 0, ...inner]
  const datagram = Uint8Array.of(0x9c, 0x40, 0x21, 0x18, 0, 8 + vxlan.length, 0, 0, ...vxlan)
  const outer = { source: '192.168.56.11', destination: '192.168.56.12', to: macs.n2, payload: datagram }
  return from('n1', toHex(frame({ ...outer, identification: identification + 0x80 })))
}

/** flannel.1 of n1 goes by the routes alone. */
function withoutDevice(fixed: FixedScenario): FixedScenario {
  const { topology } = fixed.scenario
  const { nodes } = topology.topology
  const { dev: _, ...vxlan } = nodes.n1!.interfaces!['flannel.1'] as Extract<TopologyInterface, { type: 'vxlan' }>
  const n1 = { ...nodes.n1, interfaces: { ...nodes.n1!.interfaces, 'flannel.1': vxlan } }
  const changed = { ...topology, topology: { ...topology.topology, nodes: { ...nodes, n1 } } }
  return { ...fixed, scenario: { ...fixed.scenario, topology: changed } }
}

export const tunnels: readonly FixedScenario[] = [
  onRig('B40', 'a VXLAN device that learns, and sources that nobody has', [
    run('n2', 'ip link add vx9 address 02:f1:00:00:02:09 type vxlan id 9 local 192.168.56.12 dstport 8472'),
    run('n2', 'ip link set vx9 up'),
    ...['01:00:5e:00:00:01', '00:00:00:00:00:00'].map((mac, i) => learnt(mac, 0x700 + i)),
  ]),
  onRig('B41', 'VXLAN to a host that has no such network, to none, and out of a device', [
    entry('02:00:00:00:99:01', '192.168.56.11 vni 99'),
    entry('02:00:00:00:99:02', '0.0.0.0'),
    entry('02:00:00:00:99:03', '203.0.113.9 via eth0'),
    run('n1', `ip neighbour add 203.0.113.9 lladdr ${macs.n2} dev eth0`),
    throughTunnel('02:00:00:00:99:01', 1),
    throughTunnel('02:00:00:00:99:02', 2),
    throughTunnel('02:00:00:00:99:03', 3),
    from('n1', toHex(frame({ to: FAR_VTEP }).subarray(0, 24)), 'flannel.1'),
  ]),
  onRig('B42', 'an answer that goes through the tunnel to where it came from', [
    run('n1', `bridge fdb replace ${FAR_VTEP} dev flannel.1 dst 192.168.56.11`),
    from('p3', echo({ ...ways.p3, destination: '10.244.0.0', id: 9 })),
  ]),
  onRig('B43', 'tunnel packets that OUTPUT gives a destination without a route', [
    run('n1', 'iptables -t nat -A OUTPUT -p udp --dport 8472 -j DNAT --to-destination 203.0.113.9'),
    from('p1', udp({ ...ways.p1, destination: '10.244.1.2', id: 7 })),
  ]),
  withoutDevice(
    onRig('B44', 'VXLAN to where no route leads, and to where one leads back', [
      entry('02:00:00:00:99:01', '203.0.113.9'),
      entry('02:00:00:00:99:02', '10.244.1.9'),
      throughTunnel('02:00:00:00:99:01', 1),
      throughTunnel('02:00:00:00:99:02', 2),
    ]),
  ),
]
