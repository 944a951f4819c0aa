/**
 * Planted bugs: what a textbook says, what a first version of such a model has, or a slip of the hand. Each is an exact text
 * of one file of src/model and what stands there instead; nothing in the model knows of them. The oracle must find each:
 * what it cannot see planted, it would not see if it came about by itself.
 */
export interface Mutant {
  readonly name: string
  /** What the model then does, in the words of the kernel's subject. */
  readonly what: string
  readonly edits: readonly Edit[]
}

export interface Edit {
  /** Below src/model. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
}

const mutant = (name: string, what: string, ...edits: readonly Edit[]): Mutant => ({ name, what, edits })
const edit = (file: string, from: string, to: string): Edit => ({ file, from, to })

/** The hook of FORWARD, as ip_forward asks it. */
const FORWARD_HOOK =
  "namespace.hooks.ip.has(Hook.forward) && !runHook(namespace, 'ip', Hook.forward, packet, device, route.device)"

export const mutants: readonly Mutant[] = [
  mutant(
    'pmtu-off-by-4',
    'fragmentation needed names an MTU that is 4 too small',
    edit('ipv4/forward.ts', 'sendIcmpError(packet, 3, 4, mtu)', 'sendIcmpError(packet, 3, 4, mtu - 4)'),
  ),
  mutant(
    'forward-before-ttl',
    'FORWARD is asked before the TTL is looked at: a DROP there stops "time exceeded"',
    edit('ipv4/forward.ts', '  if (ttl <= 1) {', `  if (${FORWARD_HOOK}) return\n  if (ttl <= 1) {`),
    edit('ipv4/forward.ts', `  if (${FORWARD_HOOK})\n    return\n  ipOutput`, '  ipOutput'),
  ),
  mutant(
    'forward-before-mtu',
    'FORWARD is asked before the size is looked at: a DROP there stops "fragmentation needed"',
    edit('ipv4/forward.ts', '  const mtu = route.mtuFor', `  if (${FORWARD_HOOK}) return\n  const mtu = route.mtuFor`),
    edit('ipv4/forward.ts', `  if (${FORWARD_HOOK})\n    return\n  ipOutput`, '  ipOutput'),
  ),
  mutant(
    'ttl-on-bridged-dnat',
    'bridged DNAT decrements the TTL, as if the packet were routed',
    edit(
      'netfilter/bridge/redirected.ts',
      '  bytes.set(neighbour.mac, link)',
      `  bytes[packet.network + 8] = bytes[packet.network + 8]! - 1
  const sum = packet.view.getUint16(packet.network + 10) + 0x0100
  packet.view.setUint16(packet.network + 10, sum + (sum >= 0xffff ? 1 : 0))
  bytes.set(neighbour.mac, link)`,
    ),
  ),
  mutant(
    'bridge-routes-dnat',
    'a bridged packet with another destination always goes up to be routed: there is no bridged DNAT',
    edit(
      'netfilter/bridge/redirected.ts',
      "if (type !== 'unicast' || device !== bridge) return handUp",
      "if (type !== 'none') return handUp",
    ),
  ),
  mutant(
    'bridge-to-ingress',
    'a bridge sends a frame back by the port that it came in by, hairpin or not',
    edit('device/bridge.ts', '(to !== source || to.hairpin) && to.state', 'to.state'),
    // Two such bridges never come to an end.
    edit('model.ts', 'const STORM = 1_000_000', 'const STORM = 2_000'),
  ),
  mutant(
    'flood-in-attach-order',
    'a bridge floods the port first that was attached first',
    edit('device/bridge.ts', 'this.ports.unshift(port)', 'this.ports.push(port)'),
  ),
  mutant(
    'flood-forgets-hairpin',
    'a flooded frame does not go back to a hairpin port that it came in by',
    edit(
      'device/bridge.ts',
      'if (!floods(port, kind, source) || !shouldDeliver(port, source)) continue',
      'if (port === source || !floods(port, kind, source) || !shouldDeliver(port, source)) continue',
    ),
  ),
  mutant(
    'df-to-outer',
    'VXLAN copies DF to the outer header',
    edit(
      'device/vxlan-send.ts',
      '    sending.destination = destination\n',
      `    sending.destination = destination
    sending.dontFragment = packet.protocol === 0x0800 && (packet.view.getUint8(packet.network + 6) & 0x40) !== 0\n`,
    ),
  ),
  mutant(
    'vxlan-checksum-zero',
    'the UDP checksum of a VXLAN packet is 0',
    edit('device/vxlan-send.ts', 'if (vxlan.udpChecksum) fillUdpChecksum', 'if (vxlan.vni < 0) fillUdpChecksum'),
  ),
  mutant(
    'mark-lost-in-tunnel',
    'the mark is lost at encapsulation: no rule finds it on the outer packet',
    edit('device/vxlan-send.ts', 'scrub(packet, underlay !== vxlan.namespace)', 'scrub(packet, true)'),
  ),
  mutant(
    'ecn-stays-inside',
    'the outer header of a tunnel has no ECN bits of the inner one',
    edit('device/vxlan-send.ts', 'sending.tos = encapsulateEcn(0, dsFieldOf(packet))', 'sending.tos = 0'),
  ),
  mutant(
    'rp-filter-min',
    'rp_filter is the lesser of the setting of all and the device',
    edit('ipv4/source-validation.ts', 'const filter = Math.max(', 'const filter = Math.min('),
  ),
  mutant(
    'local-source-forgotten',
    'a packet that comes in with an address of this host as its source passes',
    edit('ipv4/source-validation.ts', 'const acceptsLocal = ', 'const acceptsLocal = true || '),
  ),
  mutant(
    'fwmark-mask-ignored',
    'a policy rule compares the whole mark, whatever its mask',
    edit(
      'ipv4/fib-rule.ts',
      'if (((rule.mark ^ flow.mark) & rule.mask) !== 0)',
      'if (rule.mask !== 0 && rule.mark !== flow.mark)',
    ),
  ),
  mutant(
    'icmp-quote-too-long',
    'ICMP errors quote what fits the way back, not 576 bytes',
    edit('ipv4/icmp.ts', 'const LARGEST_ERROR = 576', 'const LARGEST_ERROR = 65_535'),
  ),
  mutant(
    'fragments-as-large-as-fit',
    'what was put together for conntrack leaves in fragments as large as the link takes, not as they came',
    edit('ipv4/fragment.ts', 'const asTheyCame = hasRoom ?', 'const asTheyCame = header < 0 ?'),
    edit('ipv4/fragment.ts', 'packet.fragmentMaxSize > 0 ? Math.min', 'packet.fragmentMaxSize < 0 ? Math.min'),
  ),
  mutant(
    'conntrack-always-on',
    'connections are tracked though no rule asks for it',
    // The table is made when it is first asked for: so it is asked at once.
    edit(
      'kernel/network-namespace.ts',
      'registerDevice(this.loopback)\n',
      "registerDevice(this.loopback)\n    this.conntrack.use('ip')\n",
    ),
  ),
  mutant(
    'nat-not-in-quotations',
    'NAT changes an ICMP error and leaves the packet that it quotes',
    edit(
      'netfilter/nat/icmp-error.ts',
      "translate(bytes, at + 8, end, kind === 'snat' ? 'dnat' : 'snat'",
      "if (at < 0) translate(bytes, at + 8, end, kind === 'snat' ? 'dnat' : 'snat'",
    ),
  ),
  mutant(
    'ipv6-unreachable-code',
    'an unreachable route of IPv6 is answered with "address unreachable"',
    edit('ipv6/input.ts', 'EHOSTUNREACH: {\n    code: 0,', 'EHOSTUNREACH: {\n    code: 3,'),
  ),
  mutant(
    'ipv6-hop-limit',
    'a packet of IPv6 with hop limit 1 is forwarded with 0',
    edit('ipv6/forward.ts', 'if (hopLimit <= 1) {', 'if (hopLimit < 1) {'),
  ),
]

/** RangeError when no mutant is called so. */
export function requireMutant(name: string): Mutant {
  const found = mutants.find((each) => each.name === name)
  if (found) return found
  throw new RangeError(`Cannot plant "${name}": there are ${mutants.map((each) => each.name).join(', ')}`)
}
