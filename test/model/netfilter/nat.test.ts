/**
 * Translation, byte for byte as Linux 6.18 wrote it.
 *
 * Recorded on it: raw frames on either side of a router with
 *
 *      chain pre  { type nat hook prerouting priority -100;  ip daddr 10.0.1.9 tcp dport 80 dnat to 10.0.2.2:8080
 *                   ip daddr 10.0.1.9 udp dport 53 dnat to 10.0.2.2:5353
 *                   ip daddr 10.0.1.9 icmp type echo-request dnat to 10.0.2.2 }
 *      chain post { type nat hook postrouting priority 100;  oifname "r1" ip saddr 10.0.1.0/24 snat to 10.0.2.1 }
 *
 * A row is what was sent (`>` by a host at 10.0.1.0/24, `<` by one at 10.0.2.0/24), and what came out on the other side; nothing
 * where nothing did. Four ports were drawn at random.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { u16, u32 } from '../../../src/model/bytes.ts'
import { Hook, Verdict } from '../../../src/model/netfilter/hooks.ts'
import { addressRange, type NatRange, RangeFlag } from '../../../src/model/netfilter/nat/range.ts'
import { setupNat } from '../../../src/model/netfilter/nat.ts'
import type { Packet } from '../../../src/model/packet.ts'
import { Router } from './router.ts'
import { icmpFrame, quoting, udpFrame } from './segments.ts'

const rows: readonly (readonly [what: string, sent: string, came: string])[] = [
  [
    '> SYN out',
    '4500003400010000400664b90a0001020a00010903e8005000000064000000008002fa0054700000020405b40402030307010101',
    '45000034000100003f0663c10a0002010a00020203e81f9000000064000000008002fa0033380000020405b40402030307010101',
  ],
  [
    '< SYN-ACK back',
    '4500003400010000400662c10a0002020a0002011f9003e8000001f4000000658012fde82d4b0000020405b40402030307010101',
    '45000034000100003f0665b90a0001090a000102005003e8000001f4000000658012fde84e830000020405b40402030307010101',
  ],
  [
    '< 3/4 back, 8 bytes quoted',
    '4500003800010000400162c20a0002020a0002010304d3a70000057845000034000100003f0663c10a0002010a00020203e81f9000000064',
    '45000038000100003f0165ba0a0001090a0001020304f2e70000057845000034000100003f0665b90a0001020a00010903e8005000000064',
  ],
  [
    '< 11/0 back of a router, all quoted',
    '45000050000100004001625f0a00024d0a0002010b000d290000000045000034000100003f0663c10a0002010a00020203e81f9000000064000000008002fa0033380000020405b40402030307010101',
    '45000050000100003f0165a20a0001090a0001020b000b310000000045000034000100003f0665b90a0001020a00010903e8005000000064000000008002fa0054700000020405b40402030307010101',
  ],
  [
    '> 3/3 out about the SYN-ACK',
    '4500005000010000400164a20a0001020a0001090303132e0000000045000034000100003f0665b90a0001090a000102005003e8000001f4000000658012fde84e830000020405b40402030307010101',
    '45000050000100003f0163aa0a0002010a000202030315260000000045000034000100003f0663c10a0002020a0002011f9003e8000001f4000000658012fde82d4b0000020405b40402030307010101',
  ],
  [
    '< 3/1 about nothing known',
    '4500003800010000400162c20a0002020a0002010301fceb000000004500001c00010000400662d90a0002010a0002020009000900000001',
    '',
  ],
  [
    '< redirect of a translated connection',
    '4500003800010000400162c20a0002020a0002010501cb190a00020945000034000100003f0663c10a0002010a00020203e81f9000000064',
    '',
  ],
  [
    '> UDP out',
    '4500001d00010000401164c50a0001020a0001090fa00035000961fc78',
    '4500001d000100003f1163cd0a0002010a0002020fa014e900094b5078',
  ],
  [
    '< UDP back',
    '4500001d00010000401162cd0a0002020a00020114e90fa000094b5078',
    '4500001d000100003f1165c50a0001090a00010200350fa0000961fc78',
  ],
  [
    '> UDP without checksum out',
    '4500001d00010000401164c50a0001020a0001090fa100350009000078',
    '4500001d000100003f1163cd0a0002010a0002020fa114e90009000078',
  ],
  [
    '> UDP clash',
    '4500001d00010000401164c40a0001030a0001090fa00035000961fb78',
    '4500001d000100003f1163cd0a0002010a000202c4cb14e90009962478',
  ],
  [
    '> echo out',
    '4500001f00010000400164d30a0001020a0001090800334f004d0001616263',
    '4500001f000100003f0163db0a0002010a0002020800334f004d0001616263',
  ],
  [
    '< echo reply back',
    '4500001f00010000400162db0a0002020a00020100003b4f004d0001616263',
    '4500001f000100003f0165d30a0001090a00010200003b4f004d0001616263',
  ],
  [
    '< 11/0 about the echo',
    '4500003b00010000400162bf0a0002020a0002010b00f4ff000000004500001f000100003f0163db0a0002010a0002020800334f004d0001616263',
    '4500003b000100003f0165b70a0001090a0001020b00f4ff000000004500001f000100003f0165d30a0001020a0001090800334f004d0001616263',
  ],
  [
    '> echo clash',
    '4500001f00010000400164d20a0001030a0001090800334f004d0001616263',
    '4500001f000100003f0163db0a0002010a00020208006fdac3c10001616263',
  ],
  [
    '> port 300',
    '4500001d00010000401163cc0a0001020a000202012c000700096fa578',
    '4500001d000100003f1163cd0a0002010a000202012c000700096ea678',
  ],
  [
    '> port 300 clash',
    '4500001d00010000401163cb0a0001030a000202012c000700096fa478',
    '4500001d000100003f1163cd0a0002010a00020201f2000700096de078',
  ],
  [
    '> port 800',
    '4500001d00010000401163cc0a0001020a0002020320000700096db178',
    '4500001d000100003f1163cd0a0002010a0002020320000700096cb278',
  ],
  [
    '> port 800 clash',
    '4500001d00010000401163cb0a0001030a0002020320000700096db078',
    '4500001d000100003f1163cd0a0002010a00020203dd000700096bf578',
  ],
  [
    '> other protocol',
    '45000018000100004063637f0a0001020a0002027a7a7a7a',
    '45000018000100003f6363800a0002010a0002027a7a7a7a',
  ],
  [
    '< other protocol back',
    '4500001800010000406362800a0002020a0002017a7a7a7a',
    '45000018000100003f63647f0a0002020a0001027a7a7a7a',
  ],
]

const SERVICE = 0x0a000109
const SERVER = 0x0a000202
const OUTSIDE = 0x0a000201

/** The router of the rows. */
function translating(): Router {
  const router = new Router()
  router.addNatChain(Hook.prerouting, (packet) => {
    const { bytes, network, connection } = packet
    if (u32(bytes, network + 16) !== SERVICE) return Verdict.accept
    const port = u16(bytes, network + 22)
    const protocol = bytes[network + 9]
    if (protocol === 6 && port === 80) return setupNat(packet, connection!, 'dnat', toPort(SERVER, 8080))
    if (protocol === 17 && port === 53) return setupNat(packet, connection!, 'dnat', toPort(SERVER, 5353))
    return protocol === 1 ? setupNat(packet, connection!, 'dnat', addressRange(SERVER)) : Verdict.accept
  })
  router.addNatChain(Hook.postrouting, (packet, _hook, _input, output) =>
    output === router.outside && u32(packet.bytes, packet.network + 12) >>> 8 === 0x0a0001
      ? setupNat(packet, packet.connection!, 'snat', addressRange(OUTSIDE))
      : Verdict.accept,
  )
  return router
}

function toPort(address: number, port: number, last = port): NatRange {
  const range = addressRange(address, RangeFlag.portsSpecified)
  return { ...range, minPort: port, maxPort: last }
}

const withoutLink = (packet: Packet) => Buffer.from(packet.bytes.subarray(packet.network, packet.end)).toString('hex')

test('packets are translated to the byte, both ways, and what errors quote with them', () => {
  const router = translating()
  // 1024 + 49355 = 50379, identifier 50113, 1 + 497 = 498, 600 + 389 = 989
  router.namespace.model.random.pin('natPort', [49_355, 50_113, 497, 389])
  for (const [what, sent, came] of rows) {
    const link = '02000000010a02000000000a0800'
    const packet = router.forward(Uint8Array.from(Buffer.from(link + sent, 'hex')), what.startsWith('>'))
    if (came !== '') assert.equal(packet && withoutLink(packet), came, what)
    else assert.ok(packet === undefined || router.stateOf(packet) === 'INVALID', what)
  }
})

test('an error that quotes too little of a translated packet to write its port into is dropped', () => {
  const router = translating()
  const sent = router.forward(udpFrame({ source: '10.0.1.2', destination: '10.0.1.9' }, [4000, 53]), true)!
  const ends = { source: '10.0.2.2', destination: '10.0.2.1' }
  const quoted = (length: number) => router.forward(icmpFrame(ends, 3, 3, quoting(sent.frame(), length)), false)
  assert.equal(quoted(24), undefined)
  assert.equal(router.stateOf(quoted(28)), 'RELATED')
})
