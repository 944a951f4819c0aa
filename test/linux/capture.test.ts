/** tshark reads a capture that we made and wrote: the same frames, times and directions as tcpdump's own tap would show. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import type { CapturedPacket } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { LinkType } from '../../src/wire/pcap.ts'
import { encodePcapngInterface, encodePcapngPacket, encodePcapngSection } from '../../src/wire/pcapng.ts'
import { eventually } from '../contract/kernel/case.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-live-capture-'))
const node = liveLinux()
const pod = node.enter(node.namespaces.add('captured'))!

afterAll(() => {
  pod.close()
  node.namespaces.delete('captured')
  node.close()
  rmSync(folder, { recursive: true })
})

test('tshark reads a ping in what we captured on both ends', async () => {
  node.links.add({ kind: 'veth', name: 'uplink', peer: { name: 'eth0', namespace: pod } })
  node.addresses.add({ link: 'uplink', prefix: '10.1.0.1/24' })
  pod.addresses.add({ link: 'eth0', prefix: '10.1.0.2/24' })
  node.links.set('uplink', { up: true })
  pod.links.set('eth0', { up: true })
  for (const [kernel, link] of [
    [node, 'uplink'],
    [pod, 'eth0'],
  ] as const) {
    await eventually(() => kernel.links.get(link)?.operState === 'up', `"${link}" is up`)
  }

  const packets: CapturedPacket[] = []
  const keep = (packet: CapturedPacket) => void packets.push(packet)
  const captures = [node.packets.capture({ link: 'uplink' }, keep), pod.packets.capture({}, keep)]
  const before = BigInt(Date.now()) * 1_000_000n
  assert.equal((await node.ping('10.1.0.2', { size: 100, timeout: 30_000 })).outcome, 'reply')
  await eventually(() => icmp(packets).length === 4, 'all are captured')
  const after = BigInt(Date.now() + 1) * 1_000_000n
  for (const capture of captures) capture.close()
  assert.ok(icmp(packets).every(({ time }) => time >= before && time <= after))

  const file = join(folder, 'ping.pcapng')
  writeFileSync(file, pcapng(packets))
  const fields = ['frame.interface_name', 'frame.packet_flags_direction', 'icmp.type', 'ip.src', 'icmp.checksum.status']
  const seen = execFileSync(
    'tshark',
    ['-r', file, '-n', '-Y', 'icmp', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  assert.deepEqual(seen.trimEnd().split('\n').map(direction).sort(), [
    'eth0 in 8 10.1.0.1 1',
    'eth0 out 0 10.1.0.2 1',
    'uplink in 0 10.1.0.2 1',
    'uplink out 8 10.1.0.1 1',
  ])
})

test('a burst of frames arrives whole, and who waits for a timer has his turn meanwhile', async () => {
  node.links.add({ kind: 'veth', name: 'left', peer: { name: 'right' }, up: true })
  node.links.set('right', { up: true })
  await eventually(() => node.links.get('left')?.operState === 'up', 'the link is up')
  const frame = Uint8Array.from({ length: 60 }, (_, i) => [0x88, 0xb5][i - 12] ?? 2)
  let count = 0
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const capture = node.packets.capture({ link: 'left' }, ({ bytes }) => {
    if (bytes[12] === 0x88) count++
  })
  for (let i = 0; i < 10_000; i++) node.packets.send('left', frame)
  await eventually(() => count === 10_000, `all are captured`)
  clearInterval(timer)
  capture.close()
  assert.ok(turns > 0)
})

function icmp(packets: readonly CapturedPacket[]): CapturedPacket[] {
  return packets.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0 && bytes[23] === 1)
}

function pcapng(packets: readonly CapturedPacket[]): Uint8Array {
  const utf8 = (text: string) => new Uint8Array(Buffer.from(text, 'utf8'))
  const links = [...new Set(packets.map(({ link }) => link))]
  return Buffer.concat([
    encodePcapngSection(),
    ...links.map((name) => encodePcapngInterface({ name, linkType: LinkType.ethernet, snapLength: 0 }, utf8)),
    ...packets.map(({ link, time, length, bytes, packetType }) => {
      const direction = packetType === 'outgoing' ? 'outbound' : 'inbound'
      return encodePcapngPacket(
        { interface: links.indexOf(link), time, length, bytes, direction, comment: undefined },
        utf8,
      )
    }),
  ])
}

/** tshark prints the direction as a number. */
function direction(line: string): string {
  const columns = line.split('\t')
  return columns.map((column, i) => (i === 1 ? { 1: 'in', 2: 'out' }[Number(column)] : column)).join(' ')
}

test('a capture that copies sees the same frames, also those longer than its slots', async () => {
  pod.links.set('lo', { up: true })
  const packets: CapturedPacket[] = []
  const capture = pod.packets.capture({ copied: true }, (packet) => void packets.push(packet))
  const sent = [60, 3000, 6000, 61].map((length, i) => new Uint8Array(length).fill(i + 1))
  for (const frame of sent) pod.packets.send('lo', frame)
  const seen = () => packets.filter(({ link, packetType }) => link === 'lo' && packetType === 'outgoing')
  await eventually(() => seen().length === sent.length, 'all are captured')
  capture.close()
  assert.deepEqual(
    seen().map(({ bytes, length }) => [length, bytes]),
    sent.map((bytes) => [bytes.length, bytes]),
  )
})
