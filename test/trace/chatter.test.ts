/** What captures of a conversation leave out: src/lab/chatter.ts. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isChatter } from '../../src/lab/chatter.ts'
import type { ProbeSpec } from '../../src/lab/probe.ts'
import { IpProtocol } from '../../src/wire/ipv4.ts'
import { type ExtensionHeader, encodeIpv6 } from '../../src/wire/ipv6.ts'
import { ipv4 } from './frames.ts'

const spec = (protocol: ProbeSpec['protocol'], port = 0): ProbeSpec => ({ protocol, port })

const ROUTER_ALERT: ExtensionHeader = { type: 0, data: Uint8Array.of(5, 2, 0, 0, 1, 0) }

const icmpv6 = (type: number, extensions: readonly ExtensionHeader[]) =>
  encodeIpv6({
    trafficClass: 0,
    flowLabel: 0,
    hopLimit: 1,
    source: 'fe80::1',
    destination: 'ff02::16',
    extensions,
    protocol: IpProtocol.icmpv6,
    payload: Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0),
  })

const segment = (port: number) =>
  Uint8Array.of(port >> 8, port & 255, 200, 0, ...new Array<number>(8).fill(0), 0x50, ...new Array<number>(7).fill(0))

test('reports of groups are no part of any conversation', () => {
  assert.equal(isChatter(ipv4(IpProtocol.igmp, new Uint8Array(16)), 0, spec('icmp')), true)
  assert.equal(isChatter(icmpv6(143, [ROUTER_ALERT]), 0, spec('icmp')), true)
})

test('echo requests are', () => {
  assert.equal(isChatter(ipv4(IpProtocol.icmp, Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 1)), 0, spec('icmp')), false)
  assert.equal(isChatter(icmpv6(128, []), 0, spec('icmp')), false)
})

test('BGP is part of a conversation with its port', () => {
  assert.equal(isChatter(ipv4(IpProtocol.tcp, segment(179)), 0, spec('icmp')), true)
  assert.equal(isChatter(ipv4(IpProtocol.tcp, segment(179)), 0, spec('tcp', 179)), false)
  assert.equal(isChatter(ipv4(IpProtocol.tcp, segment(80)), 0, spec('icmp')), false)
})
