/** Where and why the model drops: what skb:kfree_skb said on Linux 6.18 of the same frames. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel, type ModelKernel } from '../../../src/model/create.ts'
import { echo, type Frame, frame, icmp, udp } from './frames.ts'
import { Router } from './router.ts'

interface Row {
  readonly what: string
  readonly frames: readonly Frame[]
  readonly set?: (router: Router) => void
  /** reason@function, and our own name for it. */
  readonly drops: readonly string[]
}

const special = (type: 'blackhole' | 'unreachable' | 'prohibit') => (router: Router) =>
  router.router.routes.add({ destination: '10.51.0.0/16', type })
const here = { destination: '10.1.0.1', protocol: 1 } as const
const part = { destination: '10.1.0.1', moreFragments: true, payload: udp(1, 2, 192) } as const

const rows: readonly Row[] = [
  { what: 'TTL', frames: [{ ttl: 1 }], drops: ['IP_INHDR@ip_forward'] },
  {
    what: 'size',
    frames: [{ dontFragment: true, payload: 1400 }],
    set: (router) => router.router.links.set('r1', { mtu: 1000 }),
    drops: ['PKT_TOO_BIG@ip_forward'],
  },
  { what: 'no route', frames: [{ destination: '10.77.0.1' }], drops: ['IP_INNOROUTES@ip_error'] },
  ...(['blackhole', 'unreachable', 'prohibit'] as const).map((type) => ({
    what: `${type} route`,
    frames: [{ destination: '10.51.0.1' }],
    set: special(type),
    drops: [`NOT_SPECIFIED@ip_error OVL_ROUTE_${type.toUpperCase()}`],
  })),
  { what: 'another MAC', frames: [{ to: '02:00:00:00:99:99' }], drops: ['OTHERHOST@ip_rcv_core'] },
  { what: 'checksum', frames: [{ wrongChecksum: true }], drops: ['IP_CSUM@ip_rcv_core'] },
  { what: 'short length', frames: [{ length: 19 }], drops: ['IP_INHDR@ip_rcv_core'] },
  { what: 'long length', frames: [{ length: 500 }], drops: ['PKT_TOO_SMALL@ip_rcv_core'] },
  { what: 'version', frames: [{ version: 5 }], drops: ['IP_INHDR@ip_rcv_core'] },
  ...['224.0.0.1', '255.255.255.255', '0.0.0.0'].map((source) => ({
    what: `source ${source}`,
    frames: [{ source }],
    drops: ['IP_INVALID_SOURCE@ip_rcv_finish_core'],
  })),
  { what: 'destination 0', frames: [{ destination: '0.0.0.0' }], drops: ['IP_INVALID_DEST@ip_rcv_finish_core'] },
  {
    what: 'loopback addresses',
    frames: [{ source: '127.0.0.1' }, { destination: '127.0.0.1' }],
    drops: ['IP_LOCALNET@ip_rcv_finish_core', 'IP_LOCALNET@ip_rcv_finish_core'],
  },
  { what: 'our own source', frames: [{ source: '10.2.0.1' }], drops: ['IP_LOCAL_SOURCE@ip_rcv_finish_core'] },
  {
    what: 'a group that nobody is a member of',
    frames: [{ destination: '224.0.0.9' }],
    drops: ['NOT_SPECIFIED@ip_rcv_finish_core'],
  },
  {
    what: 'source validation',
    frames: [{ source: '10.2.0.7' }],
    set: (router) => router.set('conf/all/rp_filter', 1),
    drops: ['IP_RPFILTER@ip_rcv_finish_core'],
  },
  {
    what: 'forwarding off',
    frames: [{}, { destination: '10.77.0.1' }],
    set: (router) => router.set('ip_forward', 0),
    drops: ['IP_INADDRERRORS@ip_error', 'IP_INADDRERRORS@ip_error'],
  },
  {
    what: 'a broadcast frame that would be forwarded',
    frames: [{ to: 'ff:ff:ff:ff:ff:ff' }],
    drops: ['NOT_SPECIFIED@ip_forward OVL_NOT_FOR_HOST'],
  },
  {
    what: 'a group frame with a single address',
    frames: [{ to: '01:00:5e:00:00:01' }],
    set: (router) => router.set('conf/all/drop_unicast_in_l2_multicast', 1),
    drops: ['UNICAST_IN_L2_MULTICAST@ip_rcv_finish_core'],
  },
  {
    what: 'a protocol that nobody takes',
    frames: [{ destination: '10.1.0.1', protocol: 200 }],
    drops: ['IP_NOPROTO@ip_local_deliver_finish'],
  },
  {
    what: 'ICMP to many',
    frames: [
      { ...here, destination: '10.1.0.255', payload: echo() },
      { ...here, destination: '10.1.0.255', payload: icmp(11, 0, [0, 0, 0, 0]) },
      { ...here, destination: '10.1.0.255', payload: icmp(30, 0, [0, 0, 0, 0]) },
    ],
    drops: ['INVALID_PROTO@icmp_rcv', 'INVALID_PROTO@icmp_rcv', 'INVALID_PROTO@icmp_rcv'],
  },
  { what: 'an unasked reply', frames: [{ ...here, payload: icmp(0, 0, [0, 0, 0, 0]) }], drops: ['NO_SOCKET@ping_rcv'] },
  { what: 'ICMP checksum', frames: [{ ...here, payload: new Uint8Array(8) }], drops: ['ICMP_CSUM@icmp_rcv'] },
  {
    what: 'an error that quotes no header',
    frames: [{ ...here, payload: icmp(3, 3, [0, 0, 0, 0], 28) }],
    drops: ['IP_INHDR@icmp_rcv'],
  },
  {
    what: 'a redirect that quotes nothing',
    frames: [{ ...here, payload: icmp(5, 1, [10, 1, 0, 3], 10) }],
    drops: ['PKT_TOO_SMALL@icmp_rcv'],
  },
  {
    what: 'IGMP, which nobody is told of',
    frames: [{ ...here, protocol: 2, payload: 20 }],
    drops: ['NOT_SPECIFIED@igmp_rcv OVL_IGMP'],
  },
  { what: 'an option', frames: [{ options: [148, 2, 1, 0] }], drops: ['IP_INHDR@ip_rcv_finish_core'] },
  { what: 'a fragment twice', frames: [part, part], drops: ['DUP_FRAG@ip_defrag'] },
]

/** Every drop in the router. */
function watched(kernel: ModelKernel): string[] {
  const drops: string[] = []
  kernel.model.onDrop = (_, { reason, kernel: at, ownReason, device }) => {
    if (/^r/.test(device.name)) drops.push(`${reason}@${at}${ownReason ? ` ${ownReason}` : ''}`)
  }
  return drops
}

test.each(rows)('$what', async ({ frames, set, drops }) => {
  const kernel = createModel()
  const router = await Router.create({ kernel, pass: (ms) => kernel.model.advance(ms * 1000) })
  set?.(router)
  const seen = watched(kernel)
  await router.send(...frames.map((each) => frame(each)))
  assert.deepEqual(seen, drops)
})
