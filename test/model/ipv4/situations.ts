/** What happens to a router, and what is sent to it. Linux's answers stand in recorded.json. */
import { echo, type Frame, fragments, frame, icmp, udp } from './frames.ts'
import type { Router } from './router.ts'

export interface Situation {
  /** A claim about what is recorded. */
  readonly title: string
  act(router: Router): void | Promise<void>
}

const TTL: readonly Situation[] = [
  { title: 'a datagram goes on with one hop less to live', act: (r) => r.send(frame()) },
  {
    title: 'the last hop is told to its sender, with the precedence of internetwork control and at most 576 bytes',
    act: (r) => r.send(frame({ ttl: 1, tos: 0xb9 }), frame({ ttl: 1, tos: 0x1f, payload: 1000 }), frame({ ttl: 0 })),
  },
  {
    title: 'no error is told of an error, of a later fragment, of what came as a broadcast',
    act: (r) =>
      r.send(
        frame({ ttl: 1, protocol: 1, payload: icmp(3, 1, [0, 0, 0, 0], 28) }),
        ...[1, 2, 6, 7, 9, 10, 19, 255].map((type) =>
          frame({ ttl: 1, protocol: 1, payload: icmp(type, 0, [0, 0, 0, 0], 28) }),
        ),
        frame({ ttl: 1, offset: 8 }),
        frame({ ttl: 1, to: 'ff:ff:ff:ff:ff:ff' }),
        // Of these it is.
        frame({ ttl: 1, protocol: 1, payload: icmp(0, 0, [0, 0, 0, 0], 28) }),
        frame({ ttl: 1, moreFragments: true, payload: 16 }),
      ),
  },
  {
    title: 'of thirty that have no hop left six are told of, and one more for each second',
    async act(r) {
      await r.send(...Array.from({ length: 30 }, (_, identification) => frame({ ttl: 1, identification })))
      await r.pass(2400)
      await r.send(...Array.from({ length: 5 }, (_, identification) => frame({ ttl: 1, identification })))
    },
  },
]

const sized = { dontFragment: true, payload: 1200 } as const
const SIZE: readonly Situation[] = [
  {
    title: 'what is too long and must not be cut is refused with the MTU, as often as it comes',
    async act(r) {
      r.router.links.set('r1', { mtu: 1000 })
      await r.send(...Array.from({ length: 10 }, (_, identification) => frame({ ...sized, identification })))
      await r.send(frame({ dontFragment: true, payload: 980 }), frame({ dontFragment: true, payload: 981 }))
      await r.send(frame({ ...sized, ttl: 1 }))
    },
  },
  {
    title: 'what may be cut leaves in pieces of whole eights, a fragment as well',
    async act(r) {
      r.router.links.set('r1', { mtu: 1000 })
      await r.send(frame({ payload: 1400 }), frame({ payload: 1480, moreFragments: true, offset: 1480 }))
    },
  },
  {
    title: 'an option that is malformed is a parameter problem',
    act: (r) =>
      r.send(frame({ options: [148, 2, 1, 0] }), frame({ options: [30, 9, 1, 0] }), frame({ options: [1, 1, 30, 1] })),
  },
  {
    title: 'options go into the later pieces where they are to be copied, and one that is unknown passes',
    async act(r) {
      r.router.links.set('r1', { mtu: 1000 })
      await r.send(frame({ payload: 1300, options: [148, 4, 0, 0] }), frame({ payload: 1300, options: [1, 1, 1, 0] }))
      await r.send(frame({ payload: 1300, options: [30, 4, 9, 9] }), frame({ payload: 100, options: [0xc4, 4, 0, 0] }))
    },
  },
  {
    title: "a route's MTU counts before the device's",
    async act(r) {
      r.router.routes.add({ destination: '10.60.0.0/16', gateway: '10.2.0.2', metrics: { mtu: 900 } })
      await r.send(frame({ ...sized, destination: '10.60.0.1' }), frame({ destination: '10.60.0.1', payload: 1200 }))
    },
  },
]

const ROUTES: readonly Situation[] = [
  {
    title: 'no route is told of twice in a burst, and the special routes each in its way',
    async act(r) {
      await r.send(...Array.from({ length: 30 }, (_, id) => frame({ destination: '10.77.0.1', identification: id })))
      for (const [i, type] of (['blackhole', 'unreachable', 'prohibit', 'throw'] as const).entries()) {
        r.router.routes.add({ destination: `10.5${i}.0.0/16`, type })
        await r.send(frame({ source: `10.1.0.${3 + i}`, destination: `10.5${i}.0.1` }))
      }
    },
  },
  {
    title: 'a neighbour is told of a shorter way, others are not',
    async act(r) {
      r.router.routes.add({ destination: '10.61.0.0/16', gateway: '10.1.0.3' })
      await r.send(frame({ destination: '10.61.0.1' }))
      await r.send(
        frame({ source: '10.1.0.5', destination: '10.1.0.4' }),
        frame({ source: '10.99.0.1', destination: '10.1.0.4' }),
      )
    },
  },
  {
    title: 'addresses that cannot be are not routed; 0.1.2.3 and 240.0.0.1 can',
    async act(r) {
      for (const source of ['224.0.0.1', '255.255.255.255', '0.0.0.0', '0.1.2.3', '127.0.0.1', '240.0.0.1'])
        await r.send(frame({ source }))
      for (const destination of ['0.0.0.0', '127.0.0.1', '240.0.0.1']) await r.send(frame({ destination }))
    },
  },
  {
    title: 'our own addresses come from nobody else, broadcast addresses from anybody',
    async act(r) {
      for (const source of ['10.1.0.1', '10.2.0.1', '10.1.0.255']) await r.send(frame({ source }))
      r.set('conf/r0/accept_local', 1)
      await r.send(frame({ source: '10.2.0.1' }), frame({ source: '10.1.0.1' }))
    },
  },
  {
    title: 'directed broadcasts are not forwarded, nor what came as one',
    act: (r) =>
      r.send(
        frame({ destination: '10.2.0.255' }),
        frame({ destination: '255.255.255.255', to: 'ff:ff:ff:ff:ff:ff' }),
        frame({ to: 'ff:ff:ff:ff:ff:ff' }),
      ),
  },
  {
    title: 'forwarding is a setting of the device that the packet came in by',
    async act(r) {
      r.set('conf/r1/forwarding', 0)
      await r.send(frame())
      r.set('conf/r0/forwarding', 0)
      await r.send(frame(), frame({ destination: '10.77.0.1' }))
      await r.send(frame({ destination: '10.2.0.1', protocol: 1, payload: echo() }))
    },
  },
  {
    title: 'strict source validation wants the way back by the same device, loose any way back',
    async act(r) {
      const sources = ['10.2.0.7', '10.88.0.7', '10.1.0.2']
      r.set('conf/r0/rp_filter', 1)
      for (const source of sources) await r.send(frame({ source }))
      r.set('conf/all/rp_filter', 2)
      for (const source of sources) await r.send(frame({ source }))
    },
  },
  {
    title: 'a source may be nothing but a unicast address once there is a local route of somebody',
    async act(r) {
      r.router.routes.add({ destination: '10.13.0.0/16', type: 'local', link: 'lo', table: 255 })
      for (const source of ['10.13.1.1', '10.1.0.255', '10.2.0.255', '10.77.0.1']) await r.send(frame({ source }))
    },
  },
  {
    title: 'source validation is content with one of several ways back, and with none that is a special route',
    async act(r) {
      r.router.routes.add({
        destination: '10.80.0.0/16',
        nextHops: [
          { gateway: '10.1.0.2', link: 'r0' },
          { gateway: '10.2.0.2', link: 'r1' },
        ],
      })
      r.router.routes.add({ destination: '10.81.0.0/16', type: 'blackhole' })
      for (const filter of [1, 2, 0]) {
        r.set('conf/r0/rp_filter', filter)
        await r.send(frame({ source: '10.80.0.1' }), frame({ source: '10.81.0.1' }))
      }
    },
  },
  {
    title: 'a route for a type of service takes no other, congestion bits and precedence aside',
    async act(r) {
      r.router.routes.add({ destination: '10.90.0.0/16', gateway: '10.2.0.2', tos: 0x10 })
      r.router.routes.add({ destination: '10.90.0.0/16', gateway: '10.2.0.3' })
      r.router.neighbours.replace({ link: 'r1', address: '10.2.0.3', mac: '02:00:00:00:0b:03', state: 'permanent' })
      for (const tos of [0, 0x10, 0x11, 0x90, 0x12, 0x08, 0xb8]) await r.send(frame({ destination: '10.90.0.1', tos }))
    },
  },
  {
    title: 'of two next hops the hash of each policy chooses one',
    async act(r) {
      r.set('fib_multipath_hash_seed', 777)
      for (const which of ['all', 'r0']) r.set(`conf/${which}/send_redirects`, 0)
      r.router.routes.add({
        destination: '10.92.0.0/16',
        nextHops: [
          { gateway: '10.1.0.2', link: 'r0' },
          { gateway: '10.2.0.2', link: 'r1', weight: 3 },
        ],
      })
      for (const policy of [0, 1, 2, 3]) {
        r.set('fib_multipath_hash_policy', policy)
        for (let i = 1; i < 8; i++) {
          const destination = `10.92.0.${i}`
          await r.send(frame({ destination, payload: udp(1000 + i, 53, 4) }))
          await r.send(frame({ destination, protocol: 1, payload: icmp(8, 0, [0, i, 0, 1]) }))
          await r.send(frame({ destination, moreFragments: true, payload: udp(1000 + i, 53, 16) }))
          const about = frame({ source: destination, destination: '10.1.0.9' }).slice(14)
          await r.send(frame({ destination, protocol: 1, payload: icmp(3, 1, [0, 0, 0, 0], about) }))
          const inside = frame({ source: '10.7.0.1', destination: `10.8.0.${i}` }).slice(14)
          await r.send(frame({ destination, protocol: 4, payload: inside }))
        }
      }
    },
  },
]

const asked = { destination: '10.1.0.1', protocol: 1 } as const
const HERE: readonly Situation[] = [
  {
    title: 'an echo is answered from the address that was asked, with its type of service and a TTL of our own',
    async act(r) {
      await r.send(frame({ ...asked, tos: 0x13, payload: echo() }))
      await r.send(frame({ destination: '10.2.0.1', protocol: 1, payload: icmp(8, 3, [1, 2, 0, 1], 1400) }))
      await r.send(frame({ ...asked, dontFragment: true, identification: 0, payload: echo() }))
      await r.send(frame({ source: '10.1.0.3', destination: '10.2.0.1', protocol: 1, payload: echo() }))
    },
  },
  {
    title: 'an echo to many is answered where a setting says so, from our address there',
    async act(r) {
      await r.send(frame({ ...asked, destination: '10.1.0.255', payload: echo() }))
      r.set('icmp_echo_ignore_broadcasts', 0)
      await r.send(frame({ ...asked, destination: '10.1.0.255', payload: echo() }))
      await r.send(frame({ ...asked, destination: '255.255.255.255', to: 'ff:ff:ff:ff:ff:ff', payload: echo() }))
      await r.send(frame({ ...asked, destination: '224.0.0.1', to: '01:00:5e:00:00:01', payload: echo() }))
    },
  },
  {
    title: 'ICMP that is unknown, broken or cut off is not answered',
    async act(r) {
      await r.send(
        frame({ ...asked, payload: icmp(17, 0, [1, 2, 0, 1]) }),
        frame({ ...asked, payload: icmp(41, 0, [1, 2, 0, 1]) }),
      )
      await r.send(frame({ ...asked, payload: Uint8Array.of(8, 0, 1, 1, 0, 0, 0, 0) }))
      await r.send(frame({ ...asked, payload: Uint8Array.of(8, 0, 0xf7, 0xff) }))
    },
  },
  {
    title: 'a protocol and a port that nobody serves are unreachable, but not to a broadcast',
    async act(r) {
      await r.send(frame({ destination: '10.1.0.1', protocol: 200, payload: 900, tos: 0x1e }))
      await r.send(
        frame({ destination: '10.1.0.1' }),
        frame({ destination: '10.2.0.1' }),
        frame({ destination: '10.1.0.255' }),
      )
    },
  },
  {
    title: 'headers that are wrong end the packet, bytes behind it are left out',
    async act(r) {
      await r.send(frame({ wrongChecksum: true }), frame({ length: 19 }), frame({ length: 500 }), frame({ version: 5 }))
      await r.send(frame({ to: '02:00:00:00:99:99' }), frame({ padding: 10 }))
    },
  },
  {
    title: 'any address of a local route is ours, loopback ones where a setting says so',
    async act(r) {
      r.router.routes.add({ destination: '10.13.0.0/16', type: 'local', link: 'lo', table: 255 })
      await r.send(
        frame({ destination: '10.13.5.5', protocol: 1, payload: echo() }),
        frame({ destination: '10.13.5.5' }),
      )
      r.set('conf/all/route_localnet', 1)
      await r.send(frame({ destination: '127.0.0.1', protocol: 1, payload: echo() }))
    },
  },
  {
    title: 'an error comes from the address that leads back, or from the one that was come in by',
    async act(r) {
      r.router.routes.add({ destination: '10.62.0.0/16', gateway: '10.2.0.3' })
      await r.send(frame({ source: '10.62.0.1', ttl: 1 }), frame({ source: '10.63.0.1', ttl: 1 }))
      r.set('icmp_errors_use_inbound_ifaddr', 1)
      await r.send(frame({ source: '10.62.0.1', ttl: 1 }))
      r.set('icmp_errors_use_inbound_ifaddr', 0)
      r.router.addresses.add({ link: 'r0', prefix: '10.9.9.9/32' })
      r.router.routes.replace({ destination: '10.62.0.0/16', gateway: '10.2.0.3', source: '10.9.9.9' })
      await r.send(frame({ source: '10.62.0.1', ttl: 1 }))
    },
  },
]

const parts =
  (identification: number) =>
  (from: number, to: number, last = false) =>
    frame({ ...asked, identification, moreFragments: !last, offset: from, payload: echo(600).slice(from, to) })

const FRAGMENTS: readonly Situation[] = [
  {
    title: 'fragments are put together in any order; duplicates do no harm, overlaps end all of it',
    async act(r) {
      for (const [i, order] of [
        [
          [0, 200],
          [200, 400],
          [400, 608],
        ],
        [
          [400, 608],
          [0, 200],
          [200, 400],
        ],
        [
          [0, 200],
          [0, 200],
          [200, 400],
          [400, 608],
        ],
        [
          [0, 200],
          [104, 400],
          [200, 400],
          [400, 608],
        ],
        [
          [0, 200],
          [200, 400],
          [104, 304],
          [400, 608],
        ],
        [
          [0, 200],
          [400, 608],
          [600, 608],
          [200, 400],
        ],
        [
          [0, 204],
          [200, 400],
          [400, 608],
        ],
      ].entries()) {
        const part = parts(100 + i)
        for (const [from = 0, to = 0] of order) await r.send(part(from, to, to === 608))
      }
    },
  },
  {
    title: 'a fragment that more than 64 others have followed is forgotten',
    async act(r) {
      const others = (from: number, count: number) => Array.from({ length: count }, (_, i) => parts(from + i)(0, 304))
      await r.send(parts(1)(0, 304), ...others(1000, 63), parts(1)(304, 608, true))
      await r.send(parts(2)(0, 304), ...others(2000, 64), parts(2)(304, 608, true))
    },
  },
  {
    title: 'congestion of one fragment is congestion of all; Not-ECT beside ECT ends them',
    async act(r) {
      for (const [i, pair] of [
        [0, 0],
        [2, 3],
        [2, 1],
        [0, 3],
        [3, 3],
        [0, 2],
        [1, 3],
      ].entries()) {
        const [one = 0, other = 0] = pair
        const whole = { ...asked, identification: 200 + i }
        await r.send(frame({ ...whole, tos: one, moreFragments: true, payload: echo(600).slice(0, 304) }))
        await r.send(frame({ ...whole, tos: other, offset: 304, payload: echo(600).slice(304) }))
      }
    },
  },
  {
    title: 'what does not become whole is told of if its first part is there',
    async act(r) {
      r.set('ipfrag_time', 1)
      await r.send(frame({ destination: '10.1.0.1', moreFragments: true, payload: udp(1, 2, 1200) }))
      await r.send(frame({ destination: '10.1.0.1', offset: 2000, identification: 78, payload: 88 }))
      await r.pass(1500)
    },
  },
]

/** Conntrack is on: it puts together what passes. */
function tracked(r: Router): void {
  const of = { family: 'ip', table: 'tracked' } as const
  r.router.nftables.commit([
    { operation: 'add table', table: { family: 'ip', name: 'tracked' } },
    {
      operation: 'add chain',
      chain: { ...of, name: 'forward', base: { type: 'filter', hook: 'forward', priority: 0 } },
    },
    {
      operation: 'add rule',
      rule: { ...of, chain: 'forward', expressions: [{ type: 'ct', key: 'state', register: 1 }] },
    },
  ])
}

const TRACKED: readonly Situation[] = [
  {
    title: 'what conntrack put together leaves in the fragments that it came in, without DF',
    async act(r) {
      tracked(r)
      await r.send(...fragments({ identification: 1 }, 1000, 808), ...fragments({ identification: 2 }, 400, 1000, 208))
      await r.send(...fragments({ identification: 3 }, 80, 400, 1000, 16, 1200, 100))
      await r.send(...fragments({ identification: 4, dontFragment: true }, 400, 1000, 808))
      await r.send(...fragments({ identification: 5 }, 400, 600, 408).toReversed())
    },
  },
  {
    title: 'fragments that do not fit are cut anew, or refused where they have DF',
    async act(r) {
      tracked(r)
      r.router.links.set('r1', { mtu: 700 })
      await r.send(...fragments({ identification: 6 }, 1000, 808))
      await r.send(...fragments({ identification: 7, dontFragment: true }, 1000, 808))
      await r.send(...fragments({ identification: 8, dontFragment: true }, 600, 608))
      await r.send(...fragments({ identification: 9, ttl: 1 }, 1000, 808))
    },
  },
  {
    title: 'who sends to what rules lead nowhere is told why, and what they drop is not permitted',
    async act(r) {
      await r.run('iptables -t nat -A OUTPUT -d 10.2.0.4 -j DNAT --to-destination 10.55.0.1')
      await r.run('iptables -t nat -A OUTPUT -d 10.2.0.5 -j DNAT --to-destination 10.56.0.1')
      await r.run('iptables -A OUTPUT -d 10.2.0.6 -j DROP')
      await r.run('iptables -t mangle -A OUTPUT -d 10.2.0.7 -j MARK --set-mark 9')
      await r.run('iptables -t mangle -A OUTPUT -d 10.2.0.8 -j MARK --set-mark 8')
      await r.run('ip route add prohibit 10.56.0.0/16')
      await r.run('ip rule add fwmark 9 unreachable')
      await r.run('ip rule add fwmark 8 blackhole')
      const socket = r.router.sockets.bindUdp({ port: 5001 }, {})
      for (const host of [4, 5, 6, 7, 8])
        r.attempt(`10.2.0.${host}`, () => socket.send({ address: `10.2.0.${host}`, port: 9 }, Uint8Array.of(1)))
      socket.close()
    },
  },
]

/** An ICMP message to the router about a packet of its own. */
const told = (source: string, message: readonly [type: number, code: number, rest: readonly number[]], about: Frame) =>
  frame({
    ...asked,
    source,
    payload: icmp(...message, frame({ source: '10.1.0.1', destination: '10.90.0.1', ...about }).slice(14)),
  })

const LEARNING: readonly Situation[] = [
  {
    title: 'a path MTU is learned where a socket sends from that port, and never grows, and not below min_pmtu',
    async act(r) {
      r.router.routes.add({ destination: '10.90.0.0/16', gateway: '10.1.0.2' })
      const socket = r.router.sockets.bindUdp({ port: 5000 }, {})
      const tooBig = (mtu: number, port: number) =>
        r.send(
          told('10.99.0.1', [3, 4, [0, 0, mtu >> 8, mtu & 0xff]], { dontFragment: true, payload: udp(port, 99, 20) }),
        )
      for (const [mtu, port] of [
        [1200, 5001],
        [1200, 5000],
        [1300, 5000],
      ] as const) {
        await tooBig(mtu, port)
        for (const destination of ['10.90.0.1', '10.90.0.2']) r.get(destination)
      }
      // It binds nobody else.
      await r.send(frame({ source: '10.2.0.4', destination: '10.90.0.1', payload: 1400, dontFragment: true }))
      await tooBig(300, 5000)
      r.get('10.90.0.1')
      socket.close()
    },
  },
  {
    title: 'an error about an echo request of nobody teaches nothing, one about an echo reply does',
    async act(r) {
      r.router.routes.add({ destination: '10.90.0.0/16', gateway: '10.1.0.2' })
      for (const type of [8, 0]) {
        const about = { protocol: 1, payload: icmp(type, 0, [9, 9, 0, 1]) }
        await r.send(told('10.99.0.1', [3, 4, [0, 0, 4, 176]], about))
        r.get('10.90.0.1')
        await r.send(told('10.1.0.2', [5, 1, [10, 1, 0, 3]], about))
        r.get('10.90.0.1')
      }
    },
  },
  {
    title: 'a redirect is believed of the gateway in use, and of nobody else, by a host and not by a router',
    async act(r) {
      r.router.routes.add({ destination: '10.90.0.0/16', gateway: '10.1.0.2' })
      const about = { protocol: 1, payload: icmp(0, 0, [9, 9, 0, 1]) }
      const redirect = async (from: string, gateway: readonly number[]) => {
        await r.send(told(from, [5, 1, gateway], about))
        r.get('10.90.0.1')
      }
      await redirect('10.1.0.2', [10, 1, 0, 3])
      r.set('ip_forward', 0)
      await redirect('10.1.0.9', [10, 1, 0, 3])
      await redirect('10.1.0.2', [10, 1, 0, 1])
      await redirect('10.1.0.2', [10, 1, 0, 3])
      await redirect('10.1.0.3', [10, 1, 0, 4])
      r.get('10.90.0.2')
    },
  },
]

export const packetSituations = [...TTL, ...SIZE, ...ROUTES, ...HERE, ...FRAGMENTS, ...TRACKED, ...LEARNING]
