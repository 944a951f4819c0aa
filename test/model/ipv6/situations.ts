/** What happens to a router, and what is sent to it. Linux's answers stand in recorded.json. */
import {
  advertisement,
  behind,
  counted,
  echo,
  type Frame,
  fragment,
  fragments,
  frame,
  icmp,
  MAC,
  macOption,
  type Payload,
  Protocol,
  solicitation,
  tcpSegment,
  udp,
} from './frames.ts'
import { OWN_PORT, type Router } from './router.ts'

export interface Situation {
  /** A claim about what is recorded. */
  readonly title: string
  act(router: Router): void | Promise<void>
}

const thirty = (options: Frame = {}) => Array.from({ length: 30 }, (_, label) => frame({ ...options, label }))

const HOP_LIMIT: readonly Situation[] = [
  {
    title: 'a datagram goes on with one hop less to live, its class and label as they were',
    act: (r) => r.send(frame(), frame({ traffic: 0xb9, label: 0x12345, hopLimit: 2 }), frame({ padding: 7 })),
  },
  {
    title: 'the last hop is told to its sender, with at most 1280 bytes, from the address that it knows',
    act: (r) => r.send(frame({ hopLimit: 1, traffic: 0xb9 }), frame({ hopLimit: 0, payload: 1400 })),
  },
  { title: 'of thirty without a hop left six are told of', act: (r) => r.send(...thirty({ hopLimit: 1 })) },
  {
    title: 'no error is told of an error, of a later fragment, of what came as a broadcast, of nobody',
    act: (r) =>
      r.send(
        frame({ hopLimit: 1, protocol: Protocol.icmp, payload: icmp(1, 0, [0, 0, 0, 0], 48) }),
        frame({ hopLimit: 1, protocol: Protocol.icmp, payload: icmp(127, 0, [0, 0, 0, 0], 48) }),
        fragment({ hopLimit: 1 }, counted(16), 8, false),
        frame({ hopLimit: 1, to: 'ff:ff:ff:ff:ff:ff' }),
        frame({ hopLimit: 1, source: '::' }),
        // Of these it is.
        frame({ hopLimit: 1, protocol: Protocol.icmp, payload: echo() }),
        fragment({ hopLimit: 1 }, counted(16), 0, true),
      ),
  },
]

const SIZE: readonly Situation[] = [
  {
    title: 'what is too long is refused with the MTU, as often as it comes',
    async act(r) {
      r.router.links.set('r1', { mtu: 1400 })
      await r.send(...thirty({ payload: 1452 }), frame({ payload: 1352 }), frame({ payload: 1353 }))
      await r.send(frame({ payload: 1452, hopLimit: 1 }), ...fragments({}, udp(1, 2, 1440), 1408, 40))
    },
  },
  {
    title: 'an MTU below 1280 is 1280 to others',
    async act(r) {
      r.router.routes.add({ destination: 'fd60::/16', gateway: 'fd02::2', metrics: { mtu: 1300 } })
      await r.send(frame({ payload: 1253, destination: 'fd60::1' }), frame({ payload: 1252, destination: 'fd60::1' }))
    },
  },
]

const ROUTING: readonly Situation[] = [
  {
    title: 'no route and an unreachable one are 1/0, a prohibited one is 1/1, a blackhole is silent, throw is no route',
    async act(r) {
      const kinds = ['unreachable', 'prohibit', 'blackhole', 'throw'] as const
      for (const [i, type] of kinds.entries()) r.router.routes.add({ destination: `fd6${i}::/16`, type })
      for (const i of [0, 1, 2, 3, 9]) await r.send(frame({ destination: `fd6${i}::1` }))
    },
  },
  {
    title: 'who does not forward says so of nothing but what it has no route to',
    async act(r) {
      r.set('conf/all/forwarding', 0)
      await r.send(frame(), frame({ destination: '2001:db8::1' }))
    },
  },
  {
    title: 'force_forwarding of a device is enough',
    async act(r) {
      r.set('conf/all/forwarding', 0)
      r.set('conf/r0/force_forwarding', 1)
      await r.send(frame())
    },
  },
  {
    title: 'sources that mean nothing beyond the link go no farther',
    act: (r) =>
      r.send(
        frame({ source: '::1' }),
        frame({ source: 'ff02::9' }),
        frame({ source: '::' }),
        frame({ destination: '::1' }),
        frame({ source: 'fd02::1' }),
      ),
  },
  {
    title: 'a link-local source is told that its scope ends here',
    async act(r) {
      r.router.neighbours.replace({ link: 'r0', address: 'fe80::a', mac: MAC.a0 })
      await r.send(frame({ source: 'fe80::a' }))
    },
  },
  {
    title: 'what leaves where it came from has its sender redirected, once a second',
    async act(r) {
      await r.send(
        frame({ destination: 'fd01::9' }),
        frame({ destination: 'fd01::9' }),
        frame({ destination: 'fd01::8' }),
      )
      r.router.routes.add({ destination: 'fd70::/16', gateway: 'fd01::7' })
      await r.pass(1100)
      await r.send(frame({ destination: 'fd70::1' }), frame({ destination: 'fd01::9', payload: 1400 }))
    },
  },
  {
    title: 'of equal ways the flow decides, by addresses and label or by ports',
    async act(r) {
      r.router.sysctl.set('net/ipv4/fib_multipath_hash_seed', '12345')
      const nextHops = [
        { gateway: 'fd02::3', link: 'r1', weight: 3 },
        { gateway: 'fd02::4', link: 'r1', weight: 1 },
        { gateway: 'fd02::5', link: 'r1', weight: 2 },
      ]
      for (const { gateway } of nextHops)
        r.router.neighbours.replace({ link: 'r1', address: gateway, mac: `02:00:00:00:00:0${gateway.at(-1)}` })
      r.router.links.set('r1', { promiscuous: true })
      r.router.routes.add({ destination: 'fd71::/16', nextHops })
      for (let host = 1; host < 30; host++)
        await r.send(frame({ destination: `fd71::${host}`, source: `fd01::${host}`, label: host % 3 }))
      await r.send(frame({ destination: 'fd71::9', protocol: Protocol.icmp, payload: echo() }))
      r.set('fib_multipath_hash_policy', 1)
      for (let port = 1; port < 30; port++)
        await r.send(frame({ destination: 'fd71::9', label: port, payload: udp(port, 4000 + port, 1) }))
      await r.send(frame({ destination: 'fd71::9', protocol: Protocol.icmp, payload: echo() }))
      await r.send(...fragments({ destination: 'fd71::9' }, udp(7, 8, 40), 24, 24))
    },
  },
  {
    title: 'rules decide by source, mark and device where a route is looked for',
    async act(r) {
      const { router } = r
      router.routes.add({ destination: '::/0', gateway: 'fd02::3', table: 100 })
      router.rules.add({ family: 'ipv6', priority: 100, table: 100, source: 'fd01::5/128' })
      router.rules.add({ family: 'ipv6', priority: 101, action: 'prohibit', source: 'fd01::6/128', inputLink: 'r0' })
      router.rules.add({ family: 'ipv6', priority: 102, action: 'blackhole', destination: 'fd02::9/128' })
      router.rules.add({ family: 'ipv6', priority: 103, action: 'unreachable', destination: 'fd02::8/128' })
      for (const host of [4, 5, 6]) await r.send(frame({ source: `fd01::${host}`, destination: '2001:db8::1' }))
      for (const host of [7, 8, 9]) await r.send(frame({ destination: `fd02::${host}` }))
    },
  },
]

const LOCAL: readonly Situation[] = [
  {
    title: 'echoes are answered from the address that was asked, with their class; a group from one of our own',
    act: (r) =>
      r.send(
        ...['fd01::1', 'fd02::1', 'ff02::1', 'fd01::', 'ff02::2', 'ff02::77'].map((destination) =>
          frame({ destination, protocol: Protocol.icmp, payload: echo(), traffic: 0x28, label: 5 }),
        ),
        frame({ destination: 'fe80::1', protocol: Protocol.icmp, payload: echo() }),
        frame({ destination: 'fe80::2', protocol: Protocol.icmp, payload: echo() }),
      ),
  },
  {
    title: 'a group that comes as a unicast frame, and the other way round',
    act: (r) =>
      r.send(
        frame({ to: '33:33:00:00:00:01', destination: 'ff02::1', protocol: Protocol.icmp, payload: echo() }),
        frame({ to: '33:33:00:00:00:01', destination: 'fd01::1', protocol: Protocol.icmp, payload: echo() }),
        frame({ to: 'ff:ff:ff:ff:ff:ff' }),
      ),
  },
  {
    title: 'nobody listens: 1/4; nobody takes the protocol: 4/1 with its place',
    act: (r) =>
      r.send(
        frame({ destination: 'fd01::1' }),
        frame({ destination: 'ff02::1' }),
        frame({ destination: 'fd01::1', protocol: 253, payload: () => counted(4) }),
        frame({ destination: 'fd01::1', protocol: Protocol.none, payload: () => counted(4) }),
        frame({ destination: 'fd01::1', protocol: 60, payload: behind(253, [1, 4, 0, 0, 0, 0], () => counted(8)) }),
      ),
  },
  {
    title: 'options that are unknown are passed over, or end the packet, with word or without',
    async act(r) {
      r.set('icmp/ratelimit', 0)
      for (const destination of ['fd01::1', 'fd02::2', 'ff02::1'])
        for (const type of [0x1e, 0x5e, 0x9e, 0xde])
          for (const protocol of [Protocol.hopByHop, Protocol.options])
            await r.send(frame({ destination, protocol, payload: behind(17, [type, 4, 0, 0, 0, 0], udp(1, 2, 1)) }))
    },
  },
  {
    title: 'routing headers that are worked off are passed over, others are a parameter problem',
    act: (r) =>
      r.send(
        ...[0, 1].map((left) =>
          frame({
            destination: 'fd01::1',
            protocol: Protocol.routing,
            payload: behind(17, [0, left, ...Array(20).fill(0)], udp(1, 2, 1)),
          }),
        ),
        frame({ protocol: Protocol.routing, payload: behind(17, [0, 1, ...Array(20).fill(0)], udp(1, 2, 1)) }),
      ),
  },
  {
    title: 'frames for others, versions, lengths and checksums that are wrong hear nothing',
    act: (r) =>
      r.send(
        frame({ to: '02:00:00:00:99:99' }),
        frame({ version: 4 }),
        frame({ length: 100 }),
        frame().subarray(0, 40),
        frame({
          destination: 'fd01::1',
          protocol: Protocol.icmp,
          payload: () => Uint8Array.of(128, 0, 1, 2, 0, 0, 0, 0),
        }),
      ),
  },
  {
    title: 'a datagram in fragments is answered as one, whatever their order; what is long is answered in fragments',
    async act(r) {
      const to = { destination: 'fd01::1', protocol: Protocol.icmp }
      const [first, second, third] = fragments(to, echo(3000), 1232, 1232, 544)
      await r.send(third!, first!, second!)
      await r.send(...fragments({ destination: 'fd01::1' }, udp(1, 2, 56), 32, 32))
    },
  },
  {
    title: 'fragments that overlap or are no multiple of eight are given up, atomic ones are whole',
    async act(r) {
      r.set('icmp/ratelimit', 0)
      const to = { destination: 'fd01::1' }
      const datagram = udp(1, 2, 56)(new Uint8Array(16), new Uint8Array(16))
      await r.send(fragment(to, datagram.slice(0, 40), 0, true), fragment(to, datagram.slice(32), 32, false))
      await r.send(fragment(to, datagram.slice(0, 20), 0, true), fragment(to, datagram.slice(0, 64), 0xfff8, false))
      await r.send(...fragments({ destination: 'fd01::1', protocol: Protocol.icmp }, echo(), 16))
    },
  },
]

const NEIGHBOURS: readonly Situation[] = [
  {
    title: 'a solicitation is answered and its sender remembered',
    async act(r) {
      const ask = (target: string, options: Frame = {}, own = [...macOption(1, MAC.a0)]) =>
        r.send(
          frame({
            source: 'fd01::a',
            destination: 'ff02::1:ff00:1',
            hopLimit: 255,
            protocol: Protocol.icmp,
            payload: solicitation(target, own),
            ...options,
          }),
        )
      await ask('fd01::1')
      await ask('fd01::1', { source: 'fd01::b', destination: 'fd01::1' })
      await ask('fd01::1', { source: 'fe80::c' })
      await ask('fe80::1', { source: 'fe80::d' })
      await ask('fd01::1', { source: '::' }, [])
      await ask('fd01::', { destination: 'ff02::1:ff00:0' })
      // These are not heard.
      await ask('fd01::1', { source: 'fd01::e', hopLimit: 64 })
      await ask('fd01::1', { source: '::' })
      await ask('fd02::1', { source: 'fd01::10' })
      await ask('fd01::77', { source: 'fd01::11', destination: 'ff02::1:ff00:77' })
      await ask('fd01::1', { source: 'fd01::12' }, [1, 0])
      r.neighbours()
    },
  },
  {
    title: 'advertisements: who was not asked for is not remembered; flags decide what may change',
    async act(r) {
      const tell = (flags: number, mac: string | undefined, destination = 'fd01::1') =>
        r.send(
          frame({
            source: 'fd01::a',
            destination,
            hopLimit: 255,
            protocol: Protocol.icmp,
            payload: advertisement('fd01::a', flags, mac ? macOption(2, mac) : []),
          }),
        )
      await tell(0x60, '02:00:00:00:00:aa')
      r.neighbours()
      r.router.neighbours.replace({ link: 'r0', address: 'fd01::a', mac: '02:00:00:00:00:bb', state: 'stale' })
      await tell(0x40, '02:00:00:00:00:cc')
      r.neighbours()
      await tell(0x60, '02:00:00:00:00:dd')
      r.neighbours()
      await tell(0x40, '02:00:00:00:00:ee')
      r.neighbours()
      await tell(0xa0, '02:00:00:00:00:ff', 'ff02::1')
      r.neighbours()
      await tell(0x40, undefined)
      r.neighbours()
    },
  },
  {
    title: 'who is unknown is asked for three times, from the source or from the link-local address, then 1/3 is told',
    async act(r) {
      await r.send(frame({ destination: 'fd01::77', source: 'fd01::1' }), frame({ destination: 'fd02::77' }))
      await r.pass(3300)
      r.neighbours()
    },
  },
  {
    title: 'an address that is still being asked for is not answered for',
    async act(r) {
      const ask = () =>
        r.send(
          frame({
            source: 'fd01::a',
            destination: 'ff02::1:ff00:88',
            hopLimit: 255,
            protocol: Protocol.icmp,
            payload: solicitation('fd01::88', macOption(1, MAC.a0)),
          }),
        )
      // Its own question would hold a number drawn at random (RFC 7527).
      for (const which of ['all', 'r0']) r.set(`conf/${which}/enhanced_dad`, 0)
      r.router.addresses.add({ link: 'r0', prefix: 'fd01::88/64' })
      await ask()
      r.neighbours()
      await r.pass(2500)
      await ask()
      r.neighbours()
    },
  },
  {
    title: "what is sent to a group is heard by one's own sockets, and to a group of the host alone by no others",
    async act(r) {
      const socket = r.bindUdp()
      for (const [i, address] of ['ff01::1', 'ff02::1', 'ff05::1'].entries()) {
        socket.send({ address, port: OWN_PORT }, Uint8Array.of(i))
        await r.pass(20)
      }
    },
  },
  {
    title: 'an answer lets waiting datagrams go',
    async act(r) {
      await r.send(frame({ destination: 'fd01::77' }), frame({ destination: 'fd01::77', label: 1 }))
      await r.send(
        frame({
          source: 'fd01::77',
          destination: 'fe80::1',
          hopLimit: 255,
          protocol: Protocol.icmp,
          payload: advertisement('fd01::77', 0xe0, macOption(2, '02:00:00:00:00:77')),
        }),
      )
      r.neighbours()
    },
  },
  {
    title: 'an address that is proxied is answered for',
    async act(r) {
      r.set('conf/r0/proxy_ndp', 1)
      r.set('neigh/r0/proxy_delay', 0)
      r.router.neighbours.add({ link: 'r0', address: 'fd02::2', proxy: true })
      for (const target of ['fd02::2', 'fd02::3'])
        await r.send(
          frame({
            source: 'fd01::a',
            destination: `ff02::1:ff00:${target.at(-1)}`,
            to: `33:33:ff:00:00:0${target.at(-1)}`,
            hopLimit: 255,
            protocol: Protocol.icmp,
            payload: solicitation(target, macOption(1, MAC.a0)),
          }),
        )
    },
  },
  {
    title: 'routers hear router solicitations, and send nothing',
    async act(r) {
      await r.send(
        frame({
          source: 'fe80::a',
          destination: 'ff02::2',
          hopLimit: 255,
          protocol: Protocol.icmp,
          payload: icmp(133, 0, [0, 0, 0, 0], Uint8Array.from(macOption(1, MAC.a0))),
        }),
      )
      r.neighbours()
    },
  },
]

const tcp = (flags: number): Payload => tcpSegment(4000, 80, flags)
const NETFILTER: readonly Situation[] = [
  {
    title: 'what is rejected is told so, TCP by a reset',
    async act(r) {
      r.set('icmp/ratelimit', 0)
      await r.run('ip6tables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset')
      await r.run('ip6tables -A FORWARD -j REJECT --reject-with icmp6-adm-prohibited')
      await r.run('ip6tables -A INPUT -p udp -j REJECT')
      await r.run('ip6tables -A INPUT -p tcp -j REJECT --reject-with tcp-reset')
      for (const destination of ['fd02::2', 'fd01::1']) {
        for (const flags of [0x02, 0x10, 0x12, 0x04, 0x11])
          await r.send(frame({ destination, protocol: Protocol.tcp, payload: tcp(flags) }))
        await r.send(frame({ destination }), frame({ destination, protocol: Protocol.icmp, payload: echo() }))
        await r.send(frame({ destination, payload: () => counted(9) }))
      }
    },
  },
  {
    title: 'MASQUERADE takes the address of the device, and keeps the port where it can',
    async act(r) {
      await r.run('ip6tables -t nat -A POSTROUTING -o r1 -j MASQUERADE')
      await r.send(frame(), frame({ source: 'fd01::3', destination: 'fd02::3' }), frame({ hopLimit: 2 }))
      await r.send(frame({ protocol: Protocol.icmp, payload: echo() }))
      await r.send(frame({ protocol: Protocol.tcp, payload: tcp(0x02) }))
    },
  },
  {
    title: 'conntrack puts fragments together, and they leave as they came',
    async act(r) {
      await r.run('ip6tables -A FORWARD -m conntrack --ctstate INVALID -j DROP')
      await r.send(...fragments({}, udp(4000, 4001, 2992), 1232, 1232, 536))
      const [first, second] = fragments({ hopLimit: 9 }, udp(4000, 4001, 1392), 1000, 400)
      await r.send(second!, first!)
      r.router.links.set('r1', { mtu: 1280 })
      await r.send(...fragments({}, udp(4000, 4001, 2992), 1240, 1240, 520))
      await r.send(...fragments({ protocol: Protocol.icmp }, echo(), 16))
    },
  },
  {
    title: 'what is put together from fragments that no longer fit is refused',
    async act(r) {
      await r.run('ip6tables -A FORWARD -m conntrack --ctstate INVALID -j DROP')
      r.router.links.set('r1', { mtu: 1280 })
      await r.send(...fragments({}, udp(4000, 4001, 2992), 1400, 1400, 200))
    },
  },
  {
    title: 'TCPMSS clamps a SYN to what fits both ways, and adds what is missing',
    async act(r) {
      r.router.links.set('r1', { mtu: 1400 })
      await r.run('ip6tables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu')
      const syn = tcpSegment(4000, 80, 0x02, [2, 4, 0x05, 0xa0])
      await r.send(
        frame({ protocol: Protocol.tcp, payload: syn }),
        frame({ protocol: Protocol.tcp, payload: tcp(0x02) }),
      )
      await r.send(frame({ protocol: Protocol.tcp, payload: tcpSegment(4000, 80, 0x02, [2, 4, 0x02, 0xa0]) }))
    },
  },
  {
    title: 'types of addresses, and the way back to a source',
    async act(r) {
      r.set('icmp/ratelimit', 0)
      await r.run('ip6tables -t raw -A PREROUTING -m addrtype --dst-type LOCAL -j ACCEPT')
      await r.run('ip6tables -t raw -A PREROUTING -m addrtype --dst-type ANYCAST -j ACCEPT')
      await r.run('ip6tables -t raw -A PREROUTING -m rpfilter --invert -j DROP')
      await r.run('ip6tables -A FORWARD -m addrtype --src-type LOCAL -j DROP')
      for (const destination of ['fd01::1', 'fd01::', 'fd02::2', 'ff02::1'])
        for (const source of ['fd01::2', 'fd02::2', 'fd02::1', '2001:db8::1'])
          await r.send(frame({ destination, source, protocol: Protocol.icmp, payload: echo() }))
    },
  },
  {
    title: 'fib tells what an address is to this host, and where it leads',
    async act(r) {
      const kinds = ['unreachable', 'prohibit', 'blackhole'] as const
      for (const [i, type] of kinds.entries()) r.router.routes.add({ destination: `fd6${i}::/16`, type })
      await r.run('nft add table ip6 t')
      await r.run('nft add chain ip6 t c { type filter hook prerouting priority 0 ; }')
      const types = ['local', 'unicast', 'multicast', 'anycast', 'unreachable', 'prohibit', 'blackhole']
      for (const type of types) await r.run(`nft add rule ip6 t c fib daddr type ${type} counter`)
      for (const type of ['local', 'unicast']) await r.run(`nft add rule ip6 t c fib daddr . iif type ${type} counter`)
      await r.run('nft add rule ip6 t c fib saddr oif r0 counter')
      await r.run('nft add rule ip6 t c fib saddr . iif oif missing counter')
      r.router.routes.add({ destination: 'fd80::/16', gateway: 'fd01::2' })
      r.set('icmp/ratelimit', 0)
      for (const destination of ['fd01::1', 'fd02::1', 'fd01::', 'fd02::2', 'ff02::1', 'fd60::1', 'fd61::1', 'fd99::1'])
        for (const source of ['fd01::2', 'fd02::2', 'fd80::1', '2001:db8::1'])
          await r.send(frame({ destination, source }))
      await r.run('nft list ruleset')
    },
  },
  {
    title: 'who sends to what DNAT leads nowhere is refused',
    async act(r) {
      for (const [from, to] of [
        ['fd02::4', 'fd55::1'],
        ['fd02::5', 'fd56::1'],
        ['fd02::6', 'fd02::7'],
      ])
        await r.run(`ip6tables -t nat -A OUTPUT -d ${from} -j DNAT --to-destination ${to}`)
      await r.run('ip6tables -A OUTPUT -d fd02::8 -j DROP')
      await r.run('ip6tables -t mangle -A OUTPUT -d fd02::9 -j MARK --set-mark 9')
      await r.run('ip -6 rule add fwmark 9 prohibit')
      await r.run('ip -6 route add prohibit fd56::/64')
      const socket = r.bindUdp()
      for (const host of [4, 5, 6, 8, 9])
        r.attempt(`fd02::${host}`, () => socket.send({ address: `fd02::${host}`, port: 9 }, Uint8Array.of(1)))
      await r.pass(20)
    },
  },
  {
    title: 'DNAT changes where it goes, to this host as well',
    async act(r) {
      await r.run('ip6tables -t nat -A PREROUTING -p udp -d fd99::1 -j DNAT --to-destination [fd02::3]:53')
      await r.run('ip6tables -t nat -A PREROUTING -p udp -d fd99::2 -j REDIRECT --to-ports 99')
      await r.send(frame({ destination: 'fd99::1' }), frame({ destination: 'fd99::2' }))
      await r.send(frame({ destination: 'fd99::1', hopLimit: 1, payload: udp(7, 8, 1) }))
    },
  },
]

/** Without rules. */
export const plainSituations: readonly Situation[] = [...HOP_LIMIT, ...SIZE, ...ROUTING, ...LOCAL, ...NEIGHBOURS]

export const packetSituations: readonly Situation[] = [...plainSituations, ...NETFILTER]
