/** tshark reads what we wrote, and reads in Linux's frames what we read in them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { decodeEthernet, EtherType } from '../../src/wire/ethernet.ts'
import { decodeIpv4, IpProtocol } from '../../src/wire/ipv4.ts'
import { decodeIpv6 } from '../../src/wire/ipv6.ts'
import { encodePcapHeader, encodePcapPacket, LinkType, type Resolution } from '../../src/wire/pcap.ts'
import { encodePcapngInterface, encodePcapngPacket, encodePcapngSection } from '../../src/wire/pcapng.ts'
import { decodeTcp, tcpOptions } from '../../src/wire/tcp.ts'
import { decodeUdp } from '../../src/wire/udp.ts'
import { captureFolder, captures, frames, framesOf } from '../fixtures/captures/captures.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-captures-'))
afterAll(() => rmSync(folder, { recursive: true }))

const utf8 = (text: string) => new Uint8Array(Buffer.from(text, 'utf8'))

/** One row per frame, one column per field; of a field that occurs more than once (in a tunnel) the first. */
function tshark(file: string, ...fields: string[]): string[][] {
  const columns = fields.flatMap((field) => ['-e', field])
  const output = execFileSync(
    'tshark',
    ['-r', file, '-n', '-o', 'tcp.relative_sequence_numbers:FALSE', '-T', 'fields', '-E', 'occurrence=f', ...columns],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  return output
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => line.split('\t'))
}

/** What we read in a frame, in the words of tshark's fields; empty where the frame has no such header. */
function ourFields(bytes: Uint8Array): string[] {
  const { destination, source, etherType, tags, payload } = decodeEthernet(bytes)
  const layer2 = [destination, source, tags[0] ? String(tags[0].vlan) : '']
  if (etherType === EtherType.arp) return [...layer2, '', '', '', '', '', '']
  const packet = etherType === EtherType.ipv4 ? decodeIpv4(payload) : decodeIpv6(payload)
  const ip = [packet.source, packet.destination, 'ttl' in packet ? String(packet.ttl) : String(packet.hopLimit)]
  const fragment = 'ttl' in packet ? packet.fragmentOffset > 0 || packet.moreFragments : packet.extensions.length > 0
  if (fragment) return [...layer2, ...ip, '', '', '']
  if (packet.protocol === IpProtocol.udp) {
    return [...layer2, ...ip, String(decodeUdp(packet.payload).sourcePort), '', '']
  }
  if (packet.protocol === IpProtocol.tcp) {
    const { sourcePort, sequence, options } = decodeTcp(packet.payload)
    return [...layer2, ...ip, String(sourcePort), String(sequence), String(tcpOptions(options).mss ?? '')]
  }
  return [...layer2, ...ip, '', '', '']
}

for (const capture of captures) {
  test(`tshark reads the same in ${capture} as we do`, () => {
    const theirs = tshark(
      join(captureFolder, capture),
      ...['eth.dst', 'eth.src', 'vlan.id', 'ip.src', 'ip.dst', 'ip.ttl', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim'],
      ...['udp.srcport', 'tcp.srcport', 'tcp.seq_raw', 'tcp.options.mss_val', 'ip.proto', 'ipv6.nxt', 'ieee8021ad.id'],
    ).map((row) => {
      const [
        dst,
        src,
        vlan,
        ip4src,
        ip4dst,
        ttl,
        ip6src,
        ip6dst,
        hops,
        udp,
        tcp,
        sequence,
        mss,
        protocol,
        next,
        outer,
      ] = row
      // What a tunnel or an ICMP error carries has ports too: they are not this frame's.
      const ports = /^(6|17)$/.test((protocol || next)!) ? [udp || tcp, sequence, mss] : ['', '', '']
      return [dst, src, outer || vlan, ip4src || ip6src, ip4dst || ip6dst, ttl || hops, ...ports]
    })
    assert.deepEqual(
      framesOf(capture).map(({ bytes }) => ourFields(bytes)),
      theirs,
    )
  })
}

const START = 1_700_000_000_123_456_789n
const packets = frames.map(({ bytes }, i) => ({ time: START + BigInt(i) * 1_000_001n, length: bytes.length, bytes }))

function writePcap(resolution: Resolution): string {
  const file = join(folder, `${resolution}.pcap`)
  const header = { resolution, snapLength: 65535, linkType: LinkType.ethernet }
  writeFileSync(
    file,
    Buffer.concat([encodePcapHeader(header), ...packets.map((packet) => encodePcapPacket(packet, resolution))]),
  )
  return file
}

for (const resolution of ['microseconds', 'nanoseconds'] as const) {
  test(`tshark reads our pcap file with ${resolution}`, () => {
    const unit = resolution === 'microseconds' ? 1000n : 1n
    assert.deepEqual(
      tshark(writePcap(resolution), 'frame.time_epoch', 'frame.len', 'frame.number'),
      packets.map(({ time, length }, i) => [seconds(time - (time % unit)), String(length), String(i + 1)]),
    )
  })
}

test('tshark reads our pcapng file: interfaces, directions, comments', () => {
  const file = join(folder, 'ours.pcapng')
  const interfaces = ['n1/eth0', 'n2/cni0'].map((name) => ({ name, linkType: LinkType.ethernet, snapLength: 0 }))
  const rows = packets.map((packet, i) => ({
    ...packet,
    interface: i % 2,
    direction: i % 2 === 0 ? ('inbound' as const) : ('outbound' as const),
    comment: `stage ${i} → forward`,
  }))
  writeFileSync(
    file,
    Buffer.concat([
      encodePcapngSection(),
      ...interfaces.map((each) => encodePcapngInterface(each, utf8)),
      ...rows.map((row) => encodePcapngPacket(row, utf8)),
    ]),
  )
  assert.deepEqual(
    tshark(file, 'frame.time_epoch', 'frame.interface_name', 'frame.packet_flags_direction', 'frame.comment'),
    rows.map(({ time, interface: index, comment }) => [
      seconds(time),
      interfaces[index]!.name,
      index === 0 ? '0x00000001' : '0x00000002',
      comment,
    ]),
  )
})

function seconds(time: bigint): string {
  return `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`
}
