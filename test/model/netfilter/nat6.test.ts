/**
 * Connections and translation of IPv6, byte for byte as Linux 6.18 had them.
 *
 * Recorded as test/model/netfilter/nat.test.ts says, with
 *
 *      chain pre  { type nat hook prerouting priority -100;  ip6 daddr fd00:1::9 tcp dport 80 dnat to [fd00:2::2]:8080
 *                   ip6 daddr fd00:1::9 udp dport 53 dnat to [fd00:2::2]:5353
 *                   ip6 daddr fd00:1::9 icmpv6 type echo-request dnat to fd00:2::2 }
 *      chain post { type nat hook postrouting priority 100;  oifname "r1" ip6 saddr fd00:1::/64 snat to fd00:2::1 }
 *      chain f    { type filter hook forward priority 0;  ct state new ip6 dscp set 1 … }
 *
 * where established is 2, related 3, untracked 4 and invalid 5: the packets that came out say which they were.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseIpv6 } from '../../../src/address/ipv6.ts'
import { u16 } from '../../../src/model/bytes.ts'
import { Hook, Verdict } from '../../../src/model/netfilter/hooks.ts'
import { addressRange, RangeFlag } from '../../../src/model/netfilter/nat/range.ts'
import { setupNat } from '../../../src/model/netfilter/nat.ts'
import type { Packet } from '../../../src/model/packet.ts'
import { Router } from './router.ts'

const rows: readonly (readonly [what: string, sent: string, came: string])[] = [
  [
    '> SYN',
    '6000000000140640fd000001000000000000000000000002fd00000100000000000000000000000903e800500000000100000000500201f4afa70000',
    '604000000014063ffd000002000000000000000000000001fd00000200000000000000000000000203e81f900000000100000000500201f4906d0000',
  ],
  [
    '< SYN-ACK',
    '6000000000140640fd000002000000000000000000000002fd0000020000000000000000000000011f9003e80000000500000002501201f490570000',
    '608000000014063ffd000001000000000000000000000009fd000001000000000000000000000002005003e80000000500000002501201f4af910000',
  ],
  [
    '< too big',
    '6000000000443a40fd000002000000000000000000000002fd000002000000000000000000000001020097ff00000500604000000014063ffd000002000000000000000000000001fd00000200000000000000000000000203e81f900000000100000000500201f4906d0000',
    '60c0000000443a3ffd000001000000000000000000000009fd000001000000000000000000000002020097f900000500604000000014063ffd000001000000000000000000000002fd00000100000000000000000000000903e800500000000100000000500201f4afa70000',
  ],
  [
    '< unreachable, cut short',
    '6000000000383a40fd000002000000000000000000000002fd0000020000000000000000000000010104806b00000000604000000014063ffd000002000000000000000000000001fd00000200000000000000000000000203e81f9000000001',
    '60c0000000383a3ffd000001000000000000000000000009fd00000100000000000000000000000201049f9f00000000604000000014063ffd000001000000000000000000000002fd00000100000000000000000000000903e8005000000001',
  ],
  [
    '> unreachable about the answer',
    '6000000000443a40fd000001000000000000000000000002fd00000100000000000000000000000901049db500000000608000000014063ffd000001000000000000000000000009fd000001000000000000000000000002005003e80000000500000002501201f4af910000',
    '60c0000000443a3ffd000002000000000000000000000001fd00000200000000000000000000000201049dbb00000000608000000014063ffd000002000000000000000000000002fd0000020000000000000000000000011f9003e80000000500000002501201f490570000',
  ],
  [
    '> UDP',
    '6000000000091140fd000001000000000000000000000002fd0000010000000000000000000000090fa0003500097df878',
    '604000000009113ffd000002000000000000000000000001fd0000020000000000000000000000020fa014e90009694a78',
  ],
  [
    '< UDP back',
    '6000000000091140fd000002000000000000000000000002fd00000200000000000000000000000114e90fa00009694a78',
    '608000000009113ffd000001000000000000000000000009fd00000100000000000000000000000200350fa000097df878',
  ],
  [
    '> UDP behind destination options',
    '6000000000113c40fd000001000000000000000000000002fd00000100000000000000000000000911000104000000000fa0003500097df878',
    '6080000000113c3ffd000002000000000000000000000001fd00000200000000000000000000000211000104000000000fa014e90009694a78',
  ],
  [
    '> echo',
    '60000000000b3a40fd000001000000000000000000000002fd0000010000000000000000000000098000c14000070001616263',
    '60400000000b3a3ffd000002000000000000000000000001fd0000020000000000000000000000028000c14600070001616263',
  ],
  [
    '< echo reply',
    '60000000000b3a40fd000002000000000000000000000002fd0000020000000000000000000000018100c04600070001616263',
    '60800000000b3a3ffd000001000000000000000000000009fd0000010000000000000000000000028100c04000070001616263',
  ],
  [
    '< lone reply',
    '60000000000b3a40fd000002000000000000000000000002fd0000010000000000000000000000028100c04400090001616263',
    '61400000000b3a3ffd000002000000000000000000000002fd0000010000000000000000000000028100c04400090001616263',
  ],
  [
    '< router solicitation',
    '6000000000083a40fd000002000000000000000000000002fd000001000000000000000000000002850080b400000000',
    '6100000000083a3ffd000002000000000000000000000002fd000001000000000000000000000002850080b400000000',
  ],
  [
    '< type 200',
    '6000000000083a40fd000002000000000000000000000002fd000001000000000000000000000002c8003db400000000',
    '6140000000083a3ffd000002000000000000000000000002fd000001000000000000000000000002c8003db400000000',
  ],
  [
    '< about nothing known',
    '6000000000393a40fd000002000000000000000000000002fd00000100000000000000000000000201049350000000006000000000091140fd000001000000000000000000000002fd0000020000000000000000000000020001000200098dd078',
    '6140000000393a3ffd000002000000000000000000000002fd00000100000000000000000000000201049350000000006000000000091140fd000001000000000000000000000002fd0000020000000000000000000000020001000200098dd078',
  ],
]

const SERVICE = Buffer.from(parseIpv6('fd00:1::9')).toString('hex')
const SERVER = parseIpv6('fd00:2::2')
const OUTSIDE = parseIpv6('fd00:2::1')
const DSCP = ['', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED', 'INVALID']

function translating(): Router {
  const router = new Router('ip6')
  const hexAt = ({ bytes, network }: Packet, at: number, length: number) =>
    Buffer.from(bytes.subarray(network + at, network + at + length)).toString('hex')
  router.addNatChain(Hook.prerouting, (packet) => {
    const { connection, bytes, network } = packet
    if (hexAt(packet, 24, 16) !== SERVICE) return Verdict.accept
    const range = addressRange(SERVER)
    const flags = range.flags | RangeFlag.portsSpecified
    const toPort = (port: number) => ({ ...range, flags, minPort: port, maxPort: port })
    const [protocol, port] = [bytes[network + 6], u16(bytes, network + 42)]
    if (protocol === 6 && port === 80) return setupNat(packet, connection!, 'dnat', toPort(8080))
    if (protocol === 17 && port === 53) return setupNat(packet, connection!, 'dnat', toPort(5353))
    return protocol === 58 ? setupNat(packet, connection!, 'dnat', range) : Verdict.accept
  })
  router.addNatChain(Hook.postrouting, (packet, _hook, _input, output) =>
    output === router.outside && hexAt(packet, 8, 8) === 'fd00000100000000'
      ? setupNat(packet, packet.connection!, 'snat', addressRange(OUTSIDE))
      : Verdict.accept,
  )
  router.addChain(Hook.forward, 0, (packet) => {
    const dscp = DSCP.indexOf(router.stateOf(packet))
    packet.bytes[packet.network] = 0x60 | (dscp >> 2)
    packet.bytes[packet.network + 1] = (dscp & 3) << 6
    return Verdict.accept
  })
  return router
}

test('IPv6: packets are judged and translated to the byte, both ways, and what errors quote with them', () => {
  const router = translating()
  for (const [what, sent, came] of rows) {
    const link = '02000000010a02000000000a86dd'
    const packet = router.forward(Uint8Array.from(Buffer.from(link + sent, 'hex')), what.startsWith('>'))
    assert.ok(packet, what)
    assert.equal(Buffer.from(packet.bytes.subarray(packet.network, packet.end)).toString('hex'), came, what)
  }
  assert.deepEqual(
    router.conntrack.list().map(({ original, reply }) => `${original.source} ${reply.source} ${reply.destination}`),
    ['fd00:1::2 fd00:2::2 fd00:2::1', 'fd00:1::2 fd00:2::2 fd00:2::1', 'fd00:1::2 fd00:2::2 fd00:2::1'],
  )
})
