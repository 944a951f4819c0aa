/** Frames in one line; and that no bytes whatever make them throw. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { groupPackets } from '../../src/trace/of-captures.ts'
import { askedPort, insideVxlan, readHeaders, summarise, vniOf } from '../../src/trace/summary.ts'
import { IpProtocol } from '../../src/wire/ipv4.ts'
import { ethernet, ipv4, tcpFrame, udpFrame, vxlanFrame } from './frames.ts'

const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const arp = (operation: number) =>
  ethernet(bytes(`0001 0800 0604 000${operation} 02000000000a 0a000001 000000000000 0a000002`), 0x0806)

const lines: { name: string; frame: Uint8Array; says: string }[] = [
  { name: 'a datagram', frame: udpFrame(), says: 'UDP 10.0.0.1:4000 → 10.0.0.2:53' },
  { name: 'a SYN', frame: tcpFrame(2), says: 'TCP SYN 10.0.0.1:40000 → 10.0.0.2:8080' },
  { name: 'a SYN-ACK', frame: tcpFrame(18), says: 'TCP SYN-ACK 10.0.0.1:40000 → 10.0.0.2:8080' },
  {
    name: 'an echo request',
    frame: ethernet(ipv4(IpProtocol.icmp, bytes('0800 0000 0001 0001'))),
    says: 'ICMP echo request 10.0.0.1 → 10.0.0.2',
  },
  {
    name: 'fragmentation needed',
    frame: ethernet(ipv4(IpProtocol.icmp, bytes('0304 0000 0000 05aa'))),
    says: 'ICMP 3/4 mtu 1450 10.0.0.1 → 10.0.0.2',
  },
  {
    name: 'a later fragment',
    frame: ethernet(ipv4(IpProtocol.udp, new Uint8Array(8), { fragmentOffset: 1480 })),
    says: 'UDP fragment at 1480 10.0.0.1 → 10.0.0.2',
  },
  {
    name: 'a TCP header that is cut off',
    frame: ethernet(ipv4(IpProtocol.tcp, bytes('9c40 1f90'))),
    says: 'TCP 10.0.0.1:40000 → 10.0.0.2:8080',
  },
  { name: 'an ARP request', frame: arp(1), says: 'ARP who has 10.0.0.2 tell 10.0.0.1' },
  { name: 'an ARP packet that is cut off', frame: arp(1).subarray(0, 20), says: 'ARP' },
  {
    name: 'an IPv6 datagram',
    frame: ethernet(
      bytes(
        `6000 0000 0008 1140 ${'fd000000000000000000000000000001'}${'fd000000000000000000000000000002'} 0fa0 0035 0008 0000`,
      ),
      0x86dd,
    ),
    says: 'UDP [fd00::1]:4000 → [fd00::2]:53',
  },
  { name: 'nothing at all', frame: new Uint8Array(), says: 'frame' },
]
for (const { name, frame, says } of lines) {
  test(`${name} is "${says}"`, () => assert.equal(summarise(frame), says))
}

test('a tunnel is known by its header, at whatever port', () => {
  const inner = udpFrame()
  for (const port of [8472, 4789, 5000]) {
    const frame = vxlanFrame(inner, 0x123456, port)
    const at = insideVxlan(frame, readHeaders(frame)!)
    assert.equal(at, 14 + 20 + 8 + 8 + 14)
    assert.equal(vniOf(frame, at), 0x123456)
    assert.equal(readHeaders(frame, at)?.destination, '10.0.0.2')
    assert.equal(askedPort(frame, 14, 'udp'), undefined)
  }
})

test('a datagram to the port of VXLAN is no tunnel', () => {
  for (const frame of [
    udpFrame({ destinationPort: 8472, payload: new Uint8Array(60) }),
    vxlanFrame(udpFrame(), 1, 8472, 0x78),
    vxlanFrame(new Uint8Array(40)),
  ]) {
    assert.equal(insideVxlan(frame, readHeaders(frame)!), undefined)
    assert.equal(askedPort(frame, 14, 'udp'), 8472)
  }
})

test('any bytes are summarised and grouped', () => {
  let state = 1
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  const seeds = lines
    .map(({ frame }) => frame)
    .concat(vxlanFrame(udpFrame()), vxlanFrame(tcpFrame(2, { timestamp: 1 })))
  for (let i = 0; i < 20_000; i++) {
    const seed = seeds[random(seeds.length)]!
    const frame =
      i % 4 === 0 ? Uint8Array.from({ length: random(120) }, () => random(256)) : seed.slice(0, random(seed.length + 1))
    for (let k = random(4); k > 0 && frame.length > 0; k--) frame[random(frame.length)] = random(256)
    const network = random(3) === 0 ? 0 : 14
    summarise(frame, network)
    const headers = readHeaders(frame, network)
    if (headers) insideVxlan(frame, headers)
    groupPackets([{ time: 0n, node: 'n', device: 'd', direction: 'in', frame, network }])
  }
})
