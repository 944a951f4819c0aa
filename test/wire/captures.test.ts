/**
 * Every frame that Linux sent in the captures is taken apart to the innermost header and put together again: the same
 * bytes come out, checksums included.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { decodeArp, encodeArp } from '../../src/wire/arp.ts'
import { decodeEthernet, EtherType, encodeEthernet } from '../../src/wire/ethernet.ts'
import { decodeIcmp, encodeIcmp } from '../../src/wire/icmp.ts'
import { decodeIcmpv6, encodeIcmpv6 } from '../../src/wire/icmpv6.ts'
import { decodeIpv4, encodeIpv4, hasRightChecksum, IpProtocol, type Ipv4 } from '../../src/wire/ipv4.ts'
import { decodeIpv6, encodeIpv6, type Ipv6 } from '../../src/wire/ipv6.ts'
import { decodeTcp, encodeTcp } from '../../src/wire/tcp.ts'
import { decodeUdp, encodeUdp } from '../../src/wire/udp.ts'
import { decodeVxlan, encodeVxlan, VXLAN_PORT } from '../../src/wire/vxlan.ts'
import { frames } from '../fixtures/captures/captures.ts'

/** How often each protocol was taken apart: a capture that lacks one would test nothing of it. */
const seen = new Map<string, number>()
const saw = (protocol: string) => seen.set(protocol, (seen.get(protocol) ?? 0) + 1)

function rebuildFrame(bytes: Uint8Array): Uint8Array {
  const frame = decodeEthernet(bytes)
  saw(frame.tags.length > 0 ? '802.1Q' : 'Ethernet')
  return encodeEthernet({ ...frame, payload: rebuildNetwork(frame.etherType, frame.payload) })
}

function rebuildNetwork(etherType: number, bytes: Uint8Array): Uint8Array {
  if (etherType === EtherType.arp) {
    saw('ARP')
    return encodeArp(decodeArp(bytes))
  }
  if (etherType === EtherType.ipv4) {
    assert.ok(hasRightChecksum(bytes))
    const packet = decodeIpv4(bytes)
    saw(packet.options.length > 0 ? 'IPv4 with options' : 'IPv4')
    const whole = !packet.moreFragments && packet.fragmentOffset === 0
    return encodeIpv4({ ...packet, payload: whole ? rebuildTransport(packet) : packet.payload })
  }
  assert.equal(etherType, EtherType.ipv6)
  const packet = decodeIpv6(bytes)
  saw(packet.extensions.length > 0 ? 'IPv6 with extension headers' : 'IPv6')
  const whole = !packet.extensions.some(({ type }) => type === 44)
  return encodeIpv6({ ...packet, payload: whole ? rebuildTransport(packet) : packet.payload })
}

function rebuildTransport(packet: Ipv4 | Ipv6): Uint8Array {
  switch (packet.protocol) {
    case IpProtocol.icmp:
      saw(`ICMP ${decodeIcmp(packet.payload).kind}`)
      return encodeIcmp(decodeIcmp(packet.payload))
    case IpProtocol.icmpv6: {
      const icmp = decodeIcmpv6(packet.payload)
      saw(`ICMPv6 ${icmp.kind === 'ndp' ? icmp.ndp.kind : icmp.kind}`)
      return encodeIcmpv6(icmp, packet)
    }
    case IpProtocol.tcp:
      saw('TCP')
      return encodeTcp(decodeTcp(packet.payload), packet)
    default: {
      assert.equal(packet.protocol, IpProtocol.udp)
      const udp = decodeUdp(packet.payload)
      saw('UDP')
      if (udp.destinationPort !== VXLAN_PORT) return encodeUdp(udp, packet)
      const { vni, frame } = decodeVxlan(udp.payload)
      saw('VXLAN')
      return encodeUdp({ ...udp, payload: encodeVxlan({ vni, frame: rebuildFrame(frame) }) }, packet)
    }
  }
}

for (const { title, bytes } of frames) {
  test(`${title} is the same after taking apart and putting together`, () => {
    assert.equal(Buffer.from(rebuildFrame(bytes)).toString('hex'), Buffer.from(bytes).toString('hex'))
  })
}

test('the captures hold every protocol', () => {
  const wanted = [
    'Ethernet',
    '802.1Q',
    'ARP',
    'IPv4',
    'IPv4 with options',
    'IPv6',
    'IPv6 with extension headers',
    'ICMP echo',
    'ICMP destination unreachable',
    'ICMP time exceeded',
    'ICMPv6 echo',
    'ICMPv6 destination unreachable',
    'ICMPv6 packet too big',
    'ICMPv6 time exceeded',
    'ICMPv6 router solicitation',
    'ICMPv6 router advertisement',
    'ICMPv6 neighbour solicitation',
    'ICMPv6 neighbour advertisement',
    'TCP',
    'UDP',
    'VXLAN',
  ]
  assert.deepEqual(
    wanted.filter((protocol) => !seen.has(protocol)),
    [],
  )
})
