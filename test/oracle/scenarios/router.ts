/** A router between two hosts, and the frames that one of them sends. */
import type { TopologyNode } from '../../../src/lab/topology.ts'
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { Scenario, ScenarioStep } from '../../../src/oracle/scenario.ts'
import { toHex } from '../../../src/trace/hex.ts'
import { type Frame, frame, icmp, MAC } from '../../model/ipv4/frames.ts'
import { type Frame as Frame6, frame as frame6 } from '../../model/ipv6/frames.ts'
import { from, run } from './rig.ts'

export interface RouterOptions {
  /** What the router is told beside the addresses of its links. */
  readonly node?: TopologyNode
  readonly tail?: number
  readonly tolerance?: number
  readonly comparesEndings?: boolean
}

/** a – r – b, IPv4; every host knows its neighbour. */
export function router(
  id: string,
  title: string,
  steps: readonly ScenarioStep[],
  { node, ...options }: RouterOptions = {},
): FixedScenario {
  const scenario: Scenario = {
    id,
    topology: {
      name: id,
      topology: {
        nodes: {
          a: { routes: [{ to: 'default', via: '10.1.0.1' }] },
          r: { ...node, sysctls: { 'net.ipv4.ip_forward': 1, ...node?.sysctls } },
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
  return { title, scenario, ...options }
}

/** The same of IPv6. */
export function router6(
  id: string,
  title: string,
  steps: readonly ScenarioStep[],
  options: Omit<RouterOptions, 'node'> = {},
): FixedScenario {
  const scenario: Scenario = {
    id,
    topology: {
      name: id,
      topology: {
        nodes: {
          a: { ipv6: true, routes: [{ to: 'default', via: 'fd01::1' }] },
          r: { ipv6: true, sysctls: { 'net.ipv6.conf.all.forwarding': 1 } },
          b: { ipv6: true, routes: [{ to: 'default', via: 'fd02::1' }] },
        },
        links: [
          {
            endpoints: [
              { node: 'a', interface: 'eth0', mac: MAC.a0 },
              { node: 'r', interface: 'r0', mac: MAC.r0 },
            ],
            ipv6: ['fd01::2/64', 'fd01::1/64'],
          },
          {
            endpoints: [
              { node: 'b', interface: 'eth0', mac: MAC.b0 },
              { node: 'r', interface: 'r1', mac: MAC.r1 },
            ],
            ipv6: ['fd02::2/64', 'fd02::1/64'],
          },
        ],
      },
    },
    // One behind the other: without a link-local address nobody looks for a neighbour on behalf of a third.
    warm: [
      ['a', 'fd01::1'],
      ['r', 'fd02::2'],
      ['a', 'fd02::2'],
    ],
    steps: [run('r', 'sysctl -qw net.ipv6.icmp.ratelimit=0'), ...steps],
    watch: ['a:eth0', 'r:r0', 'r:r1', 'b:eth0'],
    show: ['fd0', 'ff02'],
  }
  return { title, scenario, ...options }
}

/** From a. Identifications count up from `first`: every frame is known by its own. */
export const sent = (frames: readonly Frame[], first = 0x100): ScenarioStep[] =>
  frames.map((each, i) => from('a', toHex(frame({ identification: first + i, ...each }))))

/** From a. Flow labels count up from `first`: every frame is known by its own. */
export const sent6 = (frames: readonly Frame6[], first = 0x100): ScenarioStep[] =>
  frames.map((each, i) => from('a', toHex(frame6({ label: first + i, ...each }))))

export const ICMP = 1
export const UDP = 17
export const toRouter = { destination: '10.1.0.1' } as const
export const asIcmp = (payload: Uint8Array, more: Frame = {}): Frame => ({
  ...toRouter,
  protocol: ICMP,
  payload,
  ...more,
})
export const echoTo = (destination: string, more: Frame = {}): Frame =>
  asIcmp(icmp(8, 0, [0, 1, 0, 1], 8), { destination, ...more })

export interface ArpParts {
  readonly to?: string
  readonly from?: string
  readonly hardware?: number
  readonly hardwareLength?: number
  readonly protocolLength?: number
  readonly operation?: number
  readonly sender?: readonly number[]
  readonly target?: readonly number[]
}

/** A question of a's, byte by byte: RFC 826. */
export function arp({ to = 'ff:ff:ff:ff:ff:ff', from: mac = MAC.a0, ...parts }: ArpParts): string {
  const { hardware = 1, hardwareLength = 6, protocolLength = 4, operation = 1, target = [10, 1, 0, 1] } = parts
  const { sender = [10, 1, 0, 2] } = parts
  const bytesOf = (text: string) => text.split(':').map((part) => Number.parseInt(part, 16))
  const [own, nobody] = [bytesOf(mac), [0, 0, 0, 0, 0, 0]]
  const header = [0, hardware, 8, 0, hardwareLength, protocolLength, 0, operation]
  return toHex(Uint8Array.of(...bytesOf(to), ...own, 8, 6, ...header, ...own, ...sender, ...nobody, ...target))
}
