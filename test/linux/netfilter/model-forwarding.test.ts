/** What rules make of packets, in the model and in the kernel: the frames that come out are the same. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, test } from 'vitest'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { NftExpression, NftOperation } from '../../../src/kernel/nftables.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { followedModel } from '../../support/followed-model.ts'
import { ipv4Frame, PEER_MAC } from './random-frames.ts'

const NEAR_MAC = '02:00:00:00:00:01'
const kernel: LiveKernel = liveLinux()
const model: LiveKernel = followedModel()
const both = [kernel, model]

/** One link: what comes in at `far` and is forwarded leaves by `far` again, as all its neighbours are `near`. */
beforeAll(async () => {
  for (const each of both) {
    each.links.add({ kind: 'veth', name: 'near', mac: NEAR_MAC, peer: { name: 'far', mac: PEER_MAC } })
    for (const link of ['near', 'far']) each.sysctl.set(`net/ipv6/conf/${link}/disable_ipv6`, '1')
    for (const link of ['all', 'far']) each.sysctl.set(`net/ipv4/conf/${link}/send_redirects`, '0')
    each.sysctl.set('net/ipv4/ip_forward', '1')
    each.sysctl.set('net/ipv4/conf/near/forwarding', '0')
    each.sysctl.set('net/ipv4/icmp_ratelimit', '0')
    each.sysctl.set('net/ipv4/icmp_msgs_burst', '100000')
    each.sysctl.set('net/ipv4/icmp_msgs_per_sec', '100000')
    for (const link of ['near', 'far', 'lo']) each.links.set(link, { up: true })
    for (const prefix of ['10.0.0.1/24', '10.0.0.2/24']) each.addresses.add({ link: 'far', prefix })
    for (const address of ['10.0.0.7', '10.0.0.9']) {
      each.neighbours.replace({ link: 'far', address, mac: NEAR_MAC, state: 'permanent' })
    }
    each.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.0.7', link: 'far' })
    each.routes.add({ destination: '10.0.8.0/24', gateway: '10.0.0.7', link: 'far', metrics: { mtu: 576 } })
  }
  // Checksums are not left to a network card.
  for (const link of ['near', 'far']) execFileSync('ethtool', ['-K', link, 'tx', 'off', 'rx', 'off'])
  // What is sent by a link whose carrier Linux has not found yet is lost without a word.
  for (const link of ['near', 'far']) {
    await eventually(() => kernel.links.get(link)?.operState === 'up', `"${link}" is up`)
  }
})
afterAll(() => {
  kernel.links.delete('near')
  kernel.close()
})

const frames = Array.from({ length: 500 }, (_, n) => ipv4Frame(n))

/** IPv4 identifications of the ICMP that the host makes are drawn at random: echo replies and errors. */
function settled(frame: Uint8Array): string {
  const bytes = frame.slice()
  const type = bytes[34]!
  const isOurs =
    bytes[23] === 1 && bytes[22] === 64 && (type === 0 || ((type === 3 || type === 11) && bytes[15]! >> 5 === 6))
  if (isOurs) bytes.fill(0, 18, 20).fill(0, 24, 26)
  return Buffer.from(bytes).toString('hex')
}

async function framesAgree(
  table: string,
  chain: string,
  base: object,
  rules: readonly NftExpression[][],
): Promise<void> {
  const name = { family: 'ip', table } as const
  const seen: string[][] = []
  const counted: NftExpression[][][] = []
  for (const each of both) {
    each.nftables.commit([
      { operation: 'add table', table: { family: 'ip', name: table } },
      { operation: 'add chain', chain: { ...name, name: chain, base } } as NftOperation,
      ...rules.map((expressions): NftOperation => ({ operation: 'add rule', rule: { ...name, chain, expressions } })),
    ])
    const out: string[] = []
    const capture = each.packets.capture({ link: 'near' }, ({ bytes, packetType }) => {
      if (packetType !== 'outgoing' && bytes[12] === 8 && bytes[13] === 0) out.push(settled(bytes))
    })
    for (const frame of frames) each.packets.send('near', frame)
    each.packets.send('near', ECHO)
    await eventually(() => out.some((frame) => frame.endsWith(ECHO_MARK)), 'the echo is answered')
    counted.push(
      each.nftables
        .rules({ ...name, name: chain })
        .map(({ expressions }) => expressions.filter(({ type }) => type === 'counter')),
    )
    capture.close()
    each.nftables.commit([{ operation: 'delete table', table: { family: 'ip', name: table } }])
    seen.push(out)
  }
  const [ofKernel, ofModel] = seen
  assert.ok(ofKernel!.length > 20, `only ${ofKernel!.length} frames`)
  assert.deepEqual(ofModel, ofKernel)
  const [byKernel, byModel] = counted
  assert.deepEqual(
    byModel!.map((counters, i) => [counters, rules[i]]),
    byKernel!.map((counters, i) => [counters, rules[i]]),
  )
}

/** Answered, whatever the rules are: it tells that all before it has come out. */
const ECHO_MARK = 'fedcba98'
// An echo request of 10.0.0.7 to 10.0.0.1 whose data are the mark. Rules on it would keep the test waiting.
const ECHO = Uint8Array.from(
  Buffer.from(
    `020000000002020000000001080045000020000100004001 66d5 0a0000070a000001 0800 3e88 00010001 ${ECHO_MARK}`.replaceAll(
      ' ',
      '',
    ),
    'hex',
  ),
)

const isProtocol = (protocol: number): NftExpression[] => [
  { type: 'meta', key: 'l4proto', register: 1 },
  { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.of(protocol) },
]
const notTheEcho: NftExpression[] = [
  { type: 'meta', key: 'l4proto', register: 1 },
  { type: 'cmp', register: 1, operator: 'neq', value: Uint8Array.of(1) },
]
const syn: NftExpression = {
  type: 'xt match',
  match: 'tcp',
  flags: { value: { mask: 0x06, set: 0x02 }, invert: false },
}

test('without rules the same frames are forwarded and answered', () =>
  framesAgree('filter', 'FORWARD', { type: 'filter', hook: 'forward', priority: 0 }, []))

for (const mss of [536, 1000, 'clamp-to-pmtu'] as const) {
  test(`TCPMSS ${mss} makes the same of the same segments`, () =>
    framesAgree('mangle', 'FORWARD', { type: 'filter', hook: 'forward', priority: -150 }, [
      [...isProtocol(6), syn, { type: 'xt target', target: 'TCPMSS', mss }],
    ]))
}

for (const [hook, chain] of [
  ['forward', 'FORWARD'],
  ['input', 'INPUT'],
] as const) {
  test(`REJECT at ${hook} gives the same answers`, () =>
    framesAgree('filter', chain, { type: 'filter', hook, priority: 0 }, [
      [...isProtocol(6), { type: 'xt target', target: 'REJECT', with: 'tcp-reset' }],
      [...notTheEcho, { type: 'xt target', target: 'REJECT', with: 'icmp-host-prohibited' }],
    ]))
}

test('reject before routing gives the same answers', () =>
  framesAgree('t', 'c', { type: 'filter', hook: 'prerouting', priority: -150 }, [
    [...isProtocol(6), { type: 'reject', reject: 'tcp reset', code: 0 }],
    [...isProtocol(17), { type: 'reject', reject: 'icmp', code: 13 }],
  ]))

const ct = (key: 'state' | 'status' | 'mark', length: number, ...value: number[]): NftExpression[] => [
  { type: 'ct', key, register: 1 },
  ...(length < 4
    ? []
    : [{ type: 'bitwise', source: 1, register: 1, mask: Uint8Array.from(value), xor: new Uint8Array(4) } as const]),
  { type: 'cmp', register: 1, operator: 'neq', value: new Uint8Array(4) },
]
const count: NftExpression = { type: 'counter' }

test('connections are in the same states', () =>
  framesAgree('filter', 'FORWARD', { type: 'filter', hook: 'forward', priority: 0 }, [
    ...[1, 2, 4, 8, 64].map((bit) => [...ct('state', 4, bit, 0, 0, 0), count]),
    ...[1, 2, 3].map((bit) => [...ct('status', 4, 1 << bit, 0, 0, 0), count]),
    ...(['INVALID', 'NEW', 'ESTABLISHED', 'RELATED'] as const).map((state): NftExpression[] => [
      { type: 'xt match', match: 'conntrack', states: { value: [state], invert: false } },
      count,
    ]),
    [{ type: 'xt match', match: 'conntrack', originalSource: { value: '10.0.0.0/24', invert: true } }, count],
    [{ type: 'xt match', match: 'conntrack', direction: 'REPLY' }, count],
    [
      {
        type: 'xt match',
        match: 'conntrack',
        protocol: { value: 17, invert: false },
        replySourcePort: { value: { from: 53, to: 80 }, invert: false },
      },
      count,
    ],
    [
      { type: 'immediate', register: 1, value: Uint8Array.of(7, 0, 0, 0) },
      { type: 'ct set', key: 'mark', source: 1 },
    ],
    [{ type: 'xt match', match: 'connmark', mark: 7, mask: 0xff, invert: false }, count],
    [
      {
        type: 'xt target',
        target: 'CONNMARK',
        action: 'restore',
        value: 0,
        connectionMask: 0xffffffff,
        packetMask: 0xffffffff,
      },
    ],
    [{ type: 'xt match', match: 'mark', mark: 7, mask: 0xffffffff, invert: false }, count],
  ]))

const from = (...address: number[]): NftExpression[] => [
  { type: 'payload', base: 'network', offset: 12, length: 4, register: 1 },
  { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.from(address) },
]
const towards = (...address: number[]): NftExpression[] => [
  { type: 'payload', base: 'network', offset: 16, length: 4, register: 1 },
  { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.from(address) },
]

test('MASQUERADE and masquerade make the same of the same packets', async () => {
  for (const target of [{ type: 'masquerade' }, { type: 'xt target', target: 'MASQUERADE' }] as const) {
    await framesAgree('nat', 'POSTROUTING', { type: 'nat', hook: 'postrouting', priority: 100 }, [
      [...from(10, 0, 0, 7), count, target],
    ])
  }
})

test('DNAT and dnat make the same of the same packets', async () => {
  const immediate: NftExpression[] = [
    { type: 'immediate', register: 1, value: Uint8Array.of(10, 0, 8, 7) },
    { type: 'immediate', register: 2, value: Uint8Array.of(0x1f, 0x90) },
  ]
  for (const target of [
    [...immediate, { type: 'nat', kind: 'dnat', family: 'ip', addressMin: 1, portMin: 2 }],
    [
      {
        type: 'xt target',
        target: 'DNAT',
        addresses: { from: '10.0.8.7', to: '10.0.8.7' },
        ports: { from: 8080, to: 8080 },
      },
    ],
  ] as const) {
    await framesAgree('nat', 'PREROUTING', { type: 'nat', hook: 'prerouting', priority: -100 }, [
      [...isProtocol(17), ...towards(198, 51, 100, 1), count, ...target],
    ])
  }
})

test('redirect brings the same packets to this host', () =>
  framesAgree('nat', 'PREROUTING', { type: 'nat', hook: 'prerouting', priority: -100 }, [
    [...isProtocol(17), ...towards(198, 51, 100, 1), count, { type: 'redirect' }],
  ]))

test('NOTRACK leaves the same packets alone', () =>
  framesAgree('raw', 'PREROUTING', { type: 'filter', hook: 'prerouting', priority: -300 }, [
    [...isProtocol(17), { type: 'xt target', target: 'CT', notrack: true }],
    [...ct('state', 4, 64, 0, 0, 0), count],
  ]))
