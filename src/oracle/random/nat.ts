/**
 * Connections that are translated: services, masquerade, source NAT to ranges, redirection, with rules of iptables or of nft
 * that reject, mark and leave alone; over a bridge whose frames are shown to rules or are not.
 */
import fc from 'fast-check'
import type { Scenario, ScenarioStep } from '../scenario.ts'
import { mostly, often, rarely } from './frame.ts'
import { type Kind, NAME } from './kind.ts'
import {
  BACKEND_PORTS,
  NFT_CHAINS,
  otherRule,
  PROTOCOLS,
  SERVICE_PORTS,
  type Service,
  SOURCE_NATS,
  type SourceNat,
  serviceRule,
  sourceNatRules,
  type Tool,
} from './nat-rules.ts'
import { framesOf, type Talk, talkOf } from './nat-talk.ts'
import { ANSWERING, type NatWorld, natTaps, natTopology, partiesOf, SERVICES } from './nat-world.ts'

const worlds: fc.Arbitrary<Omit<NatWorld, 'redirects'>> = fc.record({
  bridged: fc.boolean(),
  hairpin: fc.boolean(),
  callIptables: often(fc.constant(true), fc.constant(false), 2),
  mtu: often(fc.constant(1500), fc.constant(1400), 3),
  secondAddress: fc.boolean(),
  strictSources: rarely(8),
})

const servicesOf = (world: Case['world']): fc.Arbitrary<Service[]> => {
  const addresses = partiesOf(world).map(({ address }) => address)
  return fc.array(
    fc.record({
      address: fc.constantFrom(...SERVICES),
      protocol: mostly([undefined, ...PROTOCOLS], 1),
      port: fc.constantFrom(...SERVICE_PORTS),
      backend: often(fc.constantFrom(...addresses.slice(0, ANSWERING)), fc.constantFrom(...addresses), 2),
      backendPort: fc.option(fc.constantFrom(...BACKEND_PORTS), { nil: undefined }),
      everyOther: rarely(4),
    }),
    { minLength: 1, maxLength: 3 },
  )
}

interface Case {
  readonly world: Omit<NatWorld, 'redirects'>
  readonly tool: Tool
  readonly services: readonly Service[]
  readonly sourceNat: SourceNat
  readonly others: readonly string[]
  readonly talk: Talk
  /** What is done when so many frames have been sent. */
  readonly edits: readonly { readonly after: number; readonly run: string }[]
}

const EDITS: Readonly<Record<Tool, readonly string[]>> = {
  iptables: ['iptables -t nat -F PREROUTING', 'iptables -F FORWARD', 'iptables -t nat -F POSTROUTING'],
  nft: ['nft flush chain ip world pre', 'nft flush chain ip world forward', 'nft flush chain ip world post'],
}
const ANY_EDITS = [
  'conntrack -F',
  'sysctl -qw net.ipv4.ip_forward=0',
  'sysctl -qw net.bridge.bridge-nf-call-iptables=0',
  'sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0',
  'sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1',
  'ip route del default',
  'ip address del 10.0.2.1/24 dev eth0',
] as const

const cases: fc.Arbitrary<Case> = fc.tuple(worlds, fc.constantFrom<Tool>('iptables', 'nft')).chain(([world, tool]) =>
  servicesOf(world).chain((services) =>
    fc.record({
      world: fc.constant(world),
      tool: fc.constant(tool),
      services: fc.constant(services),
      sourceNat: fc.constantFrom(...SOURCE_NATS),
      others: fc.array(otherRule(tool), { maxLength: 3 }),
      talk: talkOf(world, services),
      edits: fc.array(
        fc.record({ after: fc.integer({ min: 1, max: 10 }), run: fc.constantFrom(...EDITS[tool], ...ANY_EDITS) }),
        { maxLength: 1 },
      ),
    }),
  ),
)

function toScenario({ world: drawn, tool, services, sourceNat, others, talk, edits }: Case): Scenario {
  const world = { ...drawn, redirects: edits.length === 0 }
  const commands = [
    ...(tool === 'nft' ? NFT_CHAINS : []),
    ...services.map((service) => serviceRule(tool, service)),
    ...sourceNatRules(tool, sourceNat),
    ...others,
  ]
  const frames = framesOf(talk, world, services, sourceNat)
  const steps: ScenarioStep[] = [
    ...commands.map((run) => ({ ns: 'n1', run: quoted(run) })),
    ...frames.flatMap((frame, i) => [
      frame,
      ...edits.filter(({ after }) => after === i + 1).map(({ run }) => ({ ns: 'n1', run: quoted(run) })),
    ]),
  ]
  return { id: NAME, topology: natTopology(world), warm: [], steps, watch: natTaps(world), show: [] }
}

/** nft takes all of what it is told as one word, braces too. */
const quoted = (line: string) => line.replace(/^nft (.*)$/, "nft '$1'")

export const nat: Kind = { name: 'nat', scenarios: cases.map(toScenario) }
