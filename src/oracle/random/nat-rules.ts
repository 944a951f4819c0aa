/**
 * Rules of a node that translates, as they are typed: services, source NAT, and others that get in their way, for iptables
 * and for nft.
 */
import fc from 'fast-check'
import { mostly, often } from './frame.ts'
import { OWN, POD_NETWORK, POOL, SERVICES } from './nat-world.ts'

export type Tool = 'iptables' | 'nft'
export const PROTOCOLS = ['tcp', 'udp'] as const
export const SERVICE_PORTS = [80, 53] as const
export const BACKEND_PORTS = [8080, 53] as const

export interface Service {
  readonly address: string
  /** Of any protocol and port where left out. */
  readonly protocol: (typeof PROTOCOLS)[number] | undefined
  readonly port: number
  readonly backend: string
  /** The service's where left out. */
  readonly backendPort: number | undefined
  /** Only every other connection. */
  readonly everyOther: boolean
}

/** Whose sources are changed on their way out. */
export type SourceNat = 'none' | 'pods' | 'all' | 'marked' | 'hairpin' | 'pool' | 'narrow'

export const SOURCE_NATS: readonly SourceNat[] = ['none', 'pods', 'all', 'marked', 'hairpin', 'pool', 'narrow']

/** The port that all connections get where `narrow` is asked for: the second of a kind cannot have it. */
export const NARROW = 5000

const MARK = '0x4000'

/** Ahead of nft's rules. */
export const NFT_CHAINS: readonly string[] = [
  'nft add table ip world',
  ...[
    ['raw', 'filter', 'prerouting', '-300'],
    ['change', 'filter', 'prerouting', '-150'],
    ['pre', 'nat', 'prerouting', '-100'],
    ['forward', 'filter', 'forward', '0'],
    ['in', 'filter', 'input', '0'],
    ['post', 'nat', 'postrouting', '100'],
  ].map(
    ([name, type, hook, priority]) =>
      `nft add chain ip world ${name} { type ${type} hook ${hook} priority ${priority} ; }`,
  ),
]

export function serviceRule(tool: Tool, service: Service): string {
  const { address, protocol, port, backend, backendPort, everyOther } = service
  const to = protocol === undefined || backendPort === undefined ? backend : `${backend}:${backendPort}`
  if (tool === 'nft') {
    const of = protocol === undefined ? '' : ` ${protocol} dport ${port}`
    return `nft add rule ip world pre ip daddr ${address}${of} counter dnat to ${to}`
  }
  const of = protocol === undefined ? '' : ` -p ${protocol} --dport ${port}`
  const share = everyOther ? ' -m statistic --mode nth --every 2 --packet 0' : ''
  return `iptables -t nat -A PREROUTING -d ${address}${of}${share} -j DNAT --to-destination ${to}`
}

export function sourceNatRules(tool: Tool, kind: SourceNat): string[] {
  return (tool === 'nft' ? nftSourceNat : iptablesSourceNat)[kind]
}

const append = (chain: string) => `iptables -t nat -A ${chain}`
const iptablesSourceNat: Readonly<Record<SourceNat, string[]>> = {
  none: [],
  pods: [`${append('POSTROUTING')} -s ${POD_NETWORK} ! -d ${POD_NETWORK} -j MASQUERADE`],
  all: [`${append('POSTROUTING')} -j MASQUERADE`],
  marked: [
    `iptables -t mangle -A PREROUTING -d ${SERVICES[0]} -j MARK --set-xmark ${MARK}/${MARK}`,
    `${append('POSTROUTING')} -m mark ! --mark ${MARK}/${MARK} -j RETURN`,
    `${append('POSTROUTING')} -j MARK --xor-mark ${MARK}`,
    `${append('POSTROUTING')} -j MASQUERADE`,
  ],
  hairpin: [`${append('POSTROUTING')} -s ${POD_NETWORK} -d ${POD_NETWORK} -j MASQUERADE`],
  pool: [`${append('POSTROUTING')} -o eth0 -j SNAT --to-source ${POOL[0]}-${POOL[2]}`],
  narrow: PROTOCOLS.map((p) => `${append('POSTROUTING')} -o eth0 -p ${p} -j MASQUERADE --to-ports ${NARROW}`),
}

const nftAdd = (chain: string) => `nft add rule ip world ${chain}`
const nftSourceNat: Readonly<Record<SourceNat, string[]>> = {
  none: [],
  pods: [`${nftAdd('post')} ip saddr ${POD_NETWORK} ip daddr != ${POD_NETWORK} masquerade`],
  all: [`${nftAdd('post')} masquerade`],
  marked: [
    `${nftAdd('change')} ip daddr ${SERVICES[0]} meta mark set ${MARK}`,
    `${nftAdd('post')} meta mark & ${MARK} == ${MARK} masquerade`,
  ],
  hairpin: [`${nftAdd('post')} ip saddr ${POD_NETWORK} ip daddr ${POD_NETWORK} masquerade`],
  pool: [`${nftAdd('post')} oifname eth0 snat to ${POOL[0]}-${POOL[2]}`],
  narrow: PROTOCOLS.map((p) => `${nftAdd('post')} oifname eth0 ip protocol ${p} masquerade to :${NARROW}`),
}

/** What stands in a rule, some of it empty. */
const words = (...parts: readonly fc.Arbitrary<string>[]) =>
  fc.tuple(...parts).map((all) => all.filter((part) => part !== '').join(' '))
const maybe = (part: fc.Arbitrary<string>, times = 1) => often(fc.constant(''), part, times)
const just = (text: string) => fc.constant(text)

const states = mostly(
  ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'ESTABLISHED,RELATED', 'UNTRACKED', 'DNAT', 'SNAT'],
  1,
)
const port = fc.constantFrom(...SERVICE_PORTS, ...BACKEND_PORTS, 40_000)
const device = fc.constantFrom('eth0', 'eth1', 'cni0', 'veth1')
const podAddress = fc.constantFrom('10.0.1.11', '10.0.1.12', '10.0.1.111', POD_NETWORK)

const REJECTS = [
  'icmp-port-unreachable',
  'icmp-host-prohibited',
  'icmp-net-unreachable',
  'icmp-admin-prohibited',
] as const

const iptablesMatch = words(
  maybe(fc.tuple(fc.constantFrom('-s', '-d', '! -s', '! -d'), podAddress).map((pair) => pair.join(' '))),
  maybe(
    fc.tuple(fc.constantFrom('-i', '-o'), device).map((pair) => pair.join(' ')),
    3,
  ),
  maybe(
    fc
      .tuple(fc.constantFrom(...PROTOCOLS), fc.constantFrom('--dport', '--sport'), port)
      .map(([p, side, n]) => `-p ${p} ${side} ${n}`),
  ),
  maybe(states.map((state) => `-m conntrack --ctstate ${state}`)),
  maybe(
    fc.constantFrom(
      '-m physdev --physdev-in veth1',
      '-m physdev --physdev-is-bridged',
      '-m physdev ! --physdev-is-bridged',
      '-m mark --mark 0x4000/0x4000',
      '-m connmark --mark 0x7',
      '-m conntrack --ctdir REPLY',
      '-m conntrack --ctorigdst 10.96.0.0/24',
      '-m conntrack --ctorigdstport 80',
      '-m addrtype --dst-type LOCAL',
      '-m statistic --mode nth --every 2 --packet 1',
    ),
    3,
  ),
)

/** As they stand in PREROUTING: nothing goes out yet. */
const withoutOutput = (line: string) => line.replace(/-o (\S+)/, '-i $1')

const iptablesRule: fc.Arbitrary<string> = fc.oneof(
  words(just('iptables -A FORWARD'), iptablesMatch, fc.constantFrom('-j ACCEPT', '-j DROP', '-j REJECT')),
  words(
    just('iptables -A FORWARD'),
    iptablesMatch,
    fc.constantFrom(...REJECTS).map((kind) => `-j REJECT --reject-with ${kind}`),
  ),
  words(
    just('iptables -A FORWARD -p tcp'),
    fc.constantFrom('-j REJECT --reject-with tcp-reset', '-m tcp ! --syn -m conntrack --ctstate NEW -j DROP'),
  ),
  words(just('iptables -A INPUT'), iptablesMatch.map(withoutOutput), fc.constantFrom('-j DROP', '-j REJECT')),
  words(
    just('iptables -t mangle -A PREROUTING'),
    iptablesMatch.map(withoutOutput),
    fc.constantFrom(
      '-j MARK --set-mark 0x4000',
      '-j CONNMARK --set-mark 0x7',
      '-j CONNMARK --save-mark',
      '-j CONNMARK --restore-mark',
      '-j DROP',
    ),
  ),
  words(
    just('iptables -t raw -A PREROUTING'),
    maybe(podAddress.map((address) => `-d ${address}`)),
    maybe(fc.tuple(fc.constantFrom(...PROTOCOLS), port).map(([p, n]) => `-p ${p} --dport ${n}`)),
    fc.constantFrom('-j CT --notrack', '-j DROP'),
  ),
  words(
    just('iptables -t nat -A PREROUTING'),
    fc.tuple(fc.constantFrom(...PROTOCOLS), port).map(([p, n]) => `-p ${p} --dport ${n}`),
    maybe(just(`-d ${OWN.w}`)),
    fc.constantFrom(
      '-j REDIRECT --to-ports 8080',
      '-j REDIRECT',
      '-j DNAT --to-destination 10.0.1.11-10.0.1.13',
      '-j DNAT --to-destination 10.0.1.111-10.0.1.113:8080',
      '-j DNAT --to-destination 10.0.3.22:8080-8082',
      '-j DNAT --to-destination :53',
    ),
  ),
  words(
    just('iptables -t nat -A POSTROUTING'),
    maybe(podAddress.map((address) => `-d ${address}`)),
    maybe(device.map((dev) => `-o ${dev}`)),
    fc.constantFrom(
      '-j ACCEPT',
      '-j MASQUERADE',
      `-j SNAT --to-source ${POOL[1]}`,
      `-j SNAT --to-source ${OWN.x} --persistent`,
    ),
  ),
)

const nftMatch = words(
  maybe(
    fc
      .tuple(fc.constantFrom('saddr', 'daddr'), fc.constantFrom('', '!= '), podAddress)
      .map(([side, not, to]) => `ip ${side} ${not}${to}`),
  ),
  maybe(
    device.map((dev) => `iifname ${dev}`),
    3,
  ),
  maybe(
    fc.oneof(
      fc
        .tuple(fc.constantFrom(...PROTOCOLS, 'th'), fc.constantFrom('dport', 'sport'), port)
        .map((parts) => parts.join(' ')),
      fc.constantFrom('meta l4proto icmp', 'icmp type echo-request', 'meta l4proto tcp ct original proto-dst 80'),
    ),
  ),
  maybe(
    fc
      .constantFrom('new', 'established', 'related', 'invalid', 'established,related', 'untracked')
      .map((state) => `ct state ${state}`),
  ),
  maybe(
    fc.constantFrom(
      'meta mark 0x4000',
      'ct mark 7',
      'ct direction reply',
      'ct status dnat',
      'ct original ip daddr 10.96.0.1',
      'fib daddr type local',
      'meta mark & 0xff00 == 0x4000',
    ),
    3,
  ),
)

const nftRule: fc.Arbitrary<string> = fc.oneof(
  words(just(nftAdd('forward')), nftMatch, fc.constantFrom('counter accept', 'counter drop', 'reject')),
  words(
    just(nftAdd('forward')),
    nftMatch,
    fc
      .constantFrom('host-prohibited', 'net-unreachable', 'admin-prohibited', 'port-unreachable')
      .map((kind) => `reject with icmp type ${kind}`),
  ),
  just(`${nftAdd('forward')} meta l4proto tcp reject with tcp reset`),
  just(`${nftAdd('forward')} ct state vmap { established : accept , related : accept , invalid : drop }`),
  words(just(nftAdd('in')), nftMatch, fc.constantFrom('drop', 'reject')),
  words(
    just(nftAdd('change')),
    nftMatch,
    fc.constantFrom('meta mark set 0x4000', 'ct mark set 7', 'ct mark set meta mark', 'meta mark set ct mark', 'drop'),
  ),
  words(
    just(nftAdd('raw')),
    maybe(podAddress.map((address) => `ip daddr ${address}`)),
    fc.constantFrom('notrack', 'drop'),
  ),
  words(
    just(nftAdd('pre')),
    fc.tuple(fc.constantFrom(...PROTOCOLS), port).map(([p, n]) => `${p} dport ${n}`),
    fc.constantFrom(
      'redirect to :8080',
      'redirect',
      'dnat to 10.0.1.11-10.0.1.13',
      'dnat to 10.0.1.111-10.0.1.113:8080',
      'dnat to ip saddr map { 10.0.1.11 : 10.0.3.22 , 10.0.1.12 : 10.0.1.113 }',
    ),
  ),
  words(
    just(nftAdd('post')),
    maybe(podAddress.map((address) => `ip daddr ${address}`)),
    maybe(device.map((dev) => `oifname ${dev}`)),
    fc.constantFrom('accept', 'masquerade', `snat to ${POOL[1]}`, `snat to ${OWN.x} persistent`),
  ),
)

export function otherRule(tool: Tool): fc.Arbitrary<string> {
  return tool === 'nft' ? nftRule : iptablesRule
}
