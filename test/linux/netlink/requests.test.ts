/** What we ask of the kernel is what iproute2 asks: each of its commands beside our words for it. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { LinkChange, NewLink } from '../../../src/kernel/link.ts'
import type { Route, Rule } from '../../../src/kernel/route.ts'
import { encodeDeleteAddress, encodeNewAddress } from '../../../src/linux/netlink/address.ts'
import { encodeBridgeVlan } from '../../../src/linux/netlink/bridge-vlan.ts'
import { encodeFdbEntry } from '../../../src/linux/netlink/fdb.ts'
import { encodeDeleteLink, encodeLinkChange, encodeNewLink, encodePortChange } from '../../../src/linux/netlink/link.ts'
import { addFlags, NLM_F_ACK } from '../../../src/linux/netlink/message.ts'
import { encodeNeighbour } from '../../../src/linux/netlink/neighbour.ts'
import { encodeRoute, type RouteOperation } from '../../../src/linux/netlink/route.ts'
import { encodeRule } from '../../../src/linux/netlink/rule.ts'
import { requests } from '../../fixtures/netlink/requests.ts'

const MAC = '02:00:00:00:00:09'
const indexes: Record<string, number> = { br0: 10, v0: 11, p0: 12, vx0: 13 }
const references = {
  indexOf: (name: string) => indexes[name]!,
  descriptorOf: () => 4, // of the namespace that ip(8) had open
}

const add = (link: NewLink) => encodeNewLink(link, references)
/** ip(8) names a link by its index; we do by its name, and ask for the index only where we must. */
const set = (name: string, change: LinkChange) => byIndex(name, encodeLinkChange(name, change, references))
const route = (operation: RouteOperation, route: Route) => encodeRoute(operation, route, references.indexOf)
const rule = (rule: Omit<Rule, 'family'>, family: Rule['family'] = 'ipv4') => encodeRule('add', { family, ...rule })
const vlan = (id: number, end = id, more = {}) => ({ id, end, pvid: false, untagged: false, ...more })

const ours: Record<string, () => Uint8Array> = {
  'ip link add b1 up type bridge': () => add({ kind: 'bridge', name: 'b1', up: true }),
  'ip link add b1 address 02:00:00:00:00:01 mtu 1400 txqueuelen 5 group 9 master br0 type ifb': () =>
    add({ kind: 'ifb', name: 'b1', mac: '02:00:00:00:00:01', mtu: 1400, txQueueLength: 5, group: 9, master: 'br0' }),
  'ip link add b1 type bridge forward_delay 200 ageing_time 1000 stp_state 1': () =>
    add({ kind: 'bridge', name: 'b1', bridge: { forwardDelay: 2, ageingTime: 10, stp: true } }),
  'ip link add b1 mtu 1400 up type veth peer name eth0 address 02:00:00:00:00:02 mtu 1400 netns blue': () =>
    add({
      kind: 'veth',
      name: 'b1',
      mtu: 1400,
      up: true,
      peer: { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1400, namespace: {} as never },
    }),
  'ip link add b1 type vxlan id 7 local 10.0.0.1 dev v0 ttl 9 nolearning ageing 60 dstport 4789 udpcsum gbp': () =>
    add({
      kind: 'vxlan',
      name: 'b1',
      vxlan: {
        vni: 7,
        local: '10.0.0.1',
        device: 'v0',
        ttl: 9,
        learning: false,
        ageing: 60,
        port: 4789,
        udpChecksum: true,
        gbp: true,
      },
    }),
  'ip link add b1 type vxlan id 7 remote fd00::2 local fd00::1 dev v0 dstport 4789': () =>
    add({
      kind: 'vxlan',
      name: 'b1',
      vxlan: { vni: 7, remote: 'fd00::2', local: 'fd00::1', device: 'v0', port: 4789, learning: true },
    }),
  'ip link add b1 link v0 netns blue type macvlan mode bridge': () =>
    add({ kind: 'macvlan', name: 'b1', parent: 'v0', macvlan: { mode: 'bridge' }, namespace: {} as never }),
  'ip link add b1 link v0 type vlan id 7': () => add({ kind: 'vlan', name: 'b1', parent: 'v0', vlan: { id: 7 } }),
  'ip link add b1 type vrf table 1000': () => add({ kind: 'vrf', name: 'b1', vrf: { table: 1000 } }),
  'ip link set v0 up': () => set('v0', { up: true }),
  'ip link set v0 down': () => set('v0', { up: false }),
  'ip link set v0 promisc on': () => set('v0', { promiscuous: true }),
  'ip link set v0 allmulticast off': () => set('v0', { allMulticast: false }),
  'ip link set v0 mtu 1400': () => set('v0', { mtu: 1400 }),
  'ip link set v0 address 02:00:00:00:00:03': () => set('v0', { mac: '02:00:00:00:00:03' }),
  'ip link set v0 txqueuelen 77': () => set('v0', { txQueueLength: 77 }),
  'ip link set v0 group 9': () => set('v0', { group: 9 }),
  'ip link set v0 alias text': () => set('v0', { alias: 'text' }),
  "ip link set v0 alias ''": () => set('v0', { alias: null }),
  'ip link set v0 name v9': () => encodeLinkChange('v0', { name: 'v9' }, references),
  'ip link set v0 master br0': () => set('v0', { master: 'br0' }),
  'ip link set v0 nomaster': () => set('v0', { master: null }),
  'ip link set p0 netns blue': () => set('p0', { namespace: {} as never }),
  'ip link set br0 type bridge ageing_time 1000': () => set('br0', { bridge: { ageingTime: 10 } }),
  'ip link set v0 type bridge_slave hairpin on learning off flood off neigh_suppress on isolated on': () => {
    const port = { hairpin: true, learning: false, flood: false, neighbourSuppression: true, isolated: true }
    return byIndex('v0', encodePortChange('v0', port))
  },
  'ip link delete v0': () => byIndex('v0', encodeDeleteLink({ name: 'v0' })),
  'ip link delete group 9': () => encodeDeleteLink({ group: 9 }),

  'ip address add 10.0.1.3/24 broadcast 10.0.1.255 dev v0': () =>
    encodeNewAddress({ prefix: '10.0.1.3/24', link: 'v0' }, 11, 'add'),
  'ip address add 10.0.1.3/24 broadcast 10.0.1.255 label v0:web scope link dev v0': () =>
    encodeNewAddress({ prefix: '10.0.1.3/24', link: 'v0', label: 'v0:web', scope: 'link' }, 11, 'add'),
  'ip address add 10.0.1.3 peer 10.9.9.9/32 dev v0': () =>
    encodeNewAddress({ prefix: '10.0.1.3/32', peer: '10.9.9.9', link: 'v0' }, 11, 'add'),
  'ip address add fd01::1/64 dev v0 nodad': () =>
    encodeNewAddress({ prefix: 'fd01::1/64', link: 'v0', noDad: true }, 11, 'add'),
  'ip address add fd01::1/64 dev v0 noprefixroute': () =>
    encodeNewAddress({ prefix: 'fd01::1/64', link: 'v0', noPrefixRoute: true }, 11, 'add'),
  'ip address replace 10.0.1.3/24 broadcast 10.0.1.255 dev v0': () =>
    encodeNewAddress({ prefix: '10.0.1.3/24', link: 'v0' }, 11, 'replace'),
  'ip address delete 10.0.1.3/24 dev v0': () => encodeDeleteAddress('10.0.1.3/24', undefined, 11),

  'ip route add 10.5.0.0/16 via 10.0.0.2': () => route('add', { destination: '10.5.0.0/16', gateway: '10.0.0.2' }),
  'ip route add 10.5.0.0/16 dev v0': () => route('add', { destination: '10.5.0.0/16', link: 'v0' }),
  'ip route add default via 10.0.0.2 dev v0 metric 77 proto 186': () =>
    route('add', { destination: '0.0.0.0/0', gateway: '10.0.0.2', link: 'v0', metric: 77, protocol: 186 }),
  'ip route add 10.5.0.0/16 via 192.0.2.1 dev v0 onlink': () =>
    route('add', { destination: '10.5.0.0/16', gateway: '192.0.2.1', link: 'v0', onlink: true }),
  'ip route add 10.5.0.0/16 via 10.0.0.2 table 70000': () =>
    route('add', { destination: '10.5.0.0/16', gateway: '10.0.0.2', table: 70000 }),
  'ip route add 10.5.0.0/16 via 10.0.0.2 src 10.0.0.1 tos 0x10': () =>
    route('add', { destination: '10.5.0.0/16', gateway: '10.0.0.2', source: '10.0.0.1', tos: 0x10 }),
  'ip route add 10.5.0.0/16 via 10.0.0.2 mtu lock 1400 advmss 1300 window 9 initcwnd 20 initrwnd 30 hoplimit 9 rto_min 50ms quickack 1':
    () =>
      route('add', {
        destination: '10.5.0.0/16',
        gateway: '10.0.0.2',
        metrics: {
          mtu: 1400,
          mtuLocked: true,
          advmss: 1300,
          window: 9,
          initcwnd: 20,
          initrwnd: 30,
          hoplimit: 9,
          rtoMin: 50,
          quickack: true,
        },
      }),
  'ip route add 10.5.0.0/16 nexthop via 10.0.0.2 dev v0 weight 1 nexthop via 192.0.2.2 dev v0 weight 256 onlink': () =>
    route('add', {
      destination: '10.5.0.0/16',
      nextHops: [
        { gateway: '10.0.0.2', link: 'v0' },
        { gateway: '192.0.2.2', link: 'v0', weight: 256, onlink: true },
      ],
    }),
  'ip route add 10.5.0.0/16 via inet6 fd00::2 dev v0': () =>
    route('add', { destination: '10.5.0.0/16', gateway: 'fd00::2', link: 'v0' }),
  'ip route add blackhole 10.5.0.0/16': () => route('add', { destination: '10.5.0.0/16', type: 'blackhole' }),
  'ip route add unreachable 10.5.0.0/16': () => route('add', { destination: '10.5.0.0/16', type: 'unreachable' }),
  'ip route add prohibit 10.5.0.0/16': () => route('add', { destination: '10.5.0.0/16', type: 'prohibit' }),
  'ip route add throw 10.5.0.0/16': () => route('add', { destination: '10.5.0.0/16', type: 'throw' }),
  'ip route add local 10.5.0.0/16 dev v0': () =>
    route('add', { destination: '10.5.0.0/16', type: 'local', link: 'v0', table: 255 }),
  'ip route append 10.5.0.0/16 via 10.0.0.2': () =>
    route('append', { destination: '10.5.0.0/16', gateway: '10.0.0.2' }),
  'ip route replace 10.5.0.0/16 via 10.0.0.2': () =>
    route('replace', { destination: '10.5.0.0/16', gateway: '10.0.0.2' }),
  'ip route add fd05::/48 via fd00::2': () => route('add', { destination: 'fd05::/48', gateway: 'fd00::2' }),

  'ip rule add priority 100 from 10.0.0.0/8 to 10.1.0.0/16 table 1000': () =>
    rule({ priority: 100, source: '10.0.0.0/8', destination: '10.1.0.0/16', table: 1000 }),
  'ip rule add priority 100 iif v0 oif p0 fwmark 0x1000/0xf000 table 1000 protocol 42': () =>
    rule({
      priority: 100,
      inputLink: 'v0',
      outputLink: 'p0',
      mark: 0x1000,
      mask: 0xf000,
      table: 1000,
      protocol: 42,
    }),
  'ip rule add not from 10.0.0.1 priority 100 table 1000': () =>
    rule({ priority: 100, source: '10.0.0.1/32', invert: true, table: 1000 }),
  'ip rule add priority 100 goto 32766': () => rule({ priority: 100, action: 'goto', goto: 32766 }),
  'ip rule add priority 100 from 10.6.0.0/16 prohibit': () =>
    rule({ priority: 100, source: '10.6.0.0/16', action: 'prohibit' }),
  'ip rule add priority 100 table main suppress_prefixlength 0': () =>
    rule({ priority: 100, table: 254, suppressPrefixLength: 0 }),
  'ip -6 rule add priority 100 from fd00::/8 table 1000': () =>
    rule({ priority: 100, source: 'fd00::/8', table: 1000 }, 'ipv6'),
  'ip rule delete priority 100': () => encodeRule('delete', { family: 'ipv4', priority: 100 }),

  'ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0': () =>
    encodeNeighbour('add', { link: 'v0', address: '10.0.0.9', mac: MAC }, 11),
  'ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud stale': () =>
    encodeNeighbour('add', { link: 'v0', address: '10.0.0.9', mac: MAC, state: 'stale' }, 11),
  'ip neigh replace fd00::9 lladdr 02:00:00:00:00:09 dev v0 router': () =>
    encodeNeighbour('replace', { link: 'v0', address: 'fd00::9', mac: MAC, router: true }, 11),
  'ip neigh add proxy 10.0.0.9 dev v0': () =>
    encodeNeighbour('add', { link: 'v0', address: '10.0.0.9', proxy: true }, 11),
  'ip neigh delete 10.0.0.9 dev v0': () => encodeNeighbour('delete', { link: 'v0', address: '10.0.0.9' }, 11),

  'bridge fdb add 02:00:00:00:00:09 dev v0 master': () =>
    encodeFdbEntry('add', { link: 'v0', mac: MAC, owner: 'master' }, 11),
  'bridge fdb add 02:00:00:00:00:09 dev v0 master static': () =>
    encodeFdbEntry('add', { link: 'v0', mac: MAC, owner: 'master', state: 'static' }, 11),
  'bridge fdb replace 02:00:00:00:00:09 dev v0 master dynamic': () =>
    encodeFdbEntry('replace', { link: 'v0', mac: MAC, owner: 'master', state: 'dynamic' }, 11),
  'bridge fdb append 00:00:00:00:00:00 dev vx0 self dst 10.0.0.2': () =>
    encodeFdbEntry('append', { link: 'vx0', mac: '00:00:00:00:00:00', owner: 'self', destination: '10.0.0.2' }, 13),
  'bridge fdb append 02:00:00:00:00:09 dev vx0 self dst fd00::2 port 8472 vni 99': () =>
    encodeFdbEntry('append', { link: 'vx0', mac: MAC, owner: 'self', destination: 'fd00::2', port: 8472, vni: 99 }, 13),
  'bridge fdb add 02:00:00:00:00:09 dev v0 master vlan 7': () =>
    encodeFdbEntry('add', { link: 'v0', mac: MAC, owner: 'master', vlan: 7 }, 11),

  'bridge vlan add vid 100 dev v0 pvid untagged': () =>
    encodeBridgeVlan('add', 11, vlan(100, 100, { pvid: true, untagged: true }), false),
  'bridge vlan add vid 200-210 dev v0': () => encodeBridgeVlan('add', 11, vlan(200, 210), false),
  'bridge vlan add vid 100 dev br0 self': () => encodeBridgeVlan('add', 10, vlan(100), true),
  'bridge vlan delete vid 100 dev v0': () => encodeBridgeVlan('delete', 11, vlan(100), false),
}

/**
 * Where we say the same thing otherwise. ip(8) calls a port's kind "bridge_slave", for which the kernel has no driver and
 * looks for a module; IFLA_INFO_SLAVE_KIND is the attribute made for it.
 */
const otherwise: Record<string, (hex: string) => string> = {
  'ip link set v0 type bridge_slave hairpin on learning off flood off neigh_suppress on isolated on': (text) =>
    text.replace(`1:${hex('bridge_slave')}`, `4:${hex('bridge')}`).replace(/^(.*\{)(4:\w+),(5:.*)\}$/, '$1$2,$3}'),
}

/** Bytes of each message's own header, by its type: struct ifinfomsg, ifaddrmsg, rtmsg, ndmsg, fib_rule_hdr. */
const HEADER_SIZES: Record<number, number> = {
  16: 16,
  17: 16,
  19: 16,
  20: 8,
  21: 8,
  24: 12,
  28: 12,
  29: 12,
  32: 12,
  33: 12,
}

for (const [command, request] of requests) {
  test(`we ask what this asks: ${command}`, () => {
    const encode = ours[command]
    assert.ok(encode, 'a command without our words for it')
    const expected = describe(request)
    assert.equal(describe(addFlags(encode(), NLM_F_ACK)), otherwise[command]?.(expected) ?? expected)
  })
}

test('every row is of a command that was caught', () => {
  assert.deepEqual(
    [...Object.keys(ours), ...Object.keys(otherwise)].filter((command) => !requests.has(command)),
    [],
  )
})

/** Type, flags and header in hexadecimal, then the attributes in the order of their types: which comes first says nothing. */
function describe(message: Uint8Array): string {
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  assert.equal(view.getUint32(0, true), message.length, 'the length in the header')
  const type = view.getUint16(4, true)
  const header = 16 + HEADER_SIZES[type]!
  const flags = view.getUint16(6, true).toString(16)
  return `${type} ${flags} ${hex(message.subarray(16, header))} ${attributes(message.subarray(header)) ?? '{}'}`
}

/** Undefined for what is no list of attributes. A number that happens to look like one does so on both sides. */
function attributes(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const list: { type: number; text: string }[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? view.getUint16(at, true) : 0
    if (length < 4 || at + length > bytes.length) return undefined
    const value = bytes.subarray(at + 4, at + length)
    const type = view.getUint16(at + 2, true) & 0x3fff // whether NLA_F_NESTED is set makes no difference to the kernel
    list.push({ type, text: `${type}:${attributes(value) ?? behindHeader(value) ?? hex(value)}` })
    at += (length + 3) & ~3
  }
  if (list.length === 0) return undefined
  return `{${list
    .sort((a, b) => a.type - b.type)
    .map(({ text }) => text)
    .join(',')}}`
}

/** A veth's peer: a struct ifinfomsg of zeros, then attributes. */
function behindHeader(bytes: Uint8Array): string | undefined {
  const header = bytes.subarray(0, HEADER_SIZES[16])
  const list = header.every((byte) => byte === 0) ? attributes(bytes.subarray(header.length)) : undefined
  return list && hex(header) + list
}

function hex(value: Uint8Array | string): string {
  return Buffer.from(value).toString('hex')
}

/** The message with the link's index in its header in the place of its name. */
function byIndex(name: string, message: Uint8Array): Uint8Array {
  const size = (4 + name.length + 1 + 3) & ~3
  const start = 32
  assert.equal(hex(message.subarray(start + 4, start + 4 + name.length)), hex(name), 'the link is named first')
  const changed = Uint8Array.from([...message.subarray(0, start), ...message.subarray(start + size)])
  const view = new DataView(changed.buffer)
  view.setUint32(0, changed.length, true)
  view.setUint32(20, indexes[name]!, true)
  return changed
}
