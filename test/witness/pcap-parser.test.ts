/** The npm package pcap-parser reads the microsecond files that we write. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { encodePcapHeader, encodePcapPacket, LinkType } from '../../src/wire/pcap.ts'
import { frames } from '../fixtures/captures/captures.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-pcap-parser-'))
afterAll(() => rmSync(folder, { recursive: true }))

const packets = frames.map(({ bytes }, i) => ({
  time: 1_700_000_000_123_456_789n + BigInt(i) * 1_000_001n,
  length: bytes.length,
  bytes,
}))

interface PcapParser {
  on(event: 'packet', callback: (packet: { header: Record<string, number>; data: Buffer }) => void): void
  on(event: 'end' | 'error', callback: (error?: Error) => void): void
}

test('the npm package pcap-parser reads our microsecond file', async () => {
  const { parse } = createRequire(import.meta.url)('pcap-parser') as { parse(file: string): PcapParser }
  const file = join(folder, 'ours.pcap')
  const header = { resolution: 'microseconds', snapLength: 65535, linkType: LinkType.ethernet } as const
  writeFileSync(
    file,
    Buffer.concat([encodePcapHeader(header), ...packets.map((packet) => encodePcapPacket(packet, 'microseconds'))]),
  )
  const parser = parse(file)
  const read: [number, number, string][] = []
  await new Promise<void>((resolve, reject) => {
    parser.on('packet', ({ header, data }) => {
      read.push([header.timestampSeconds!, header.timestampMicroseconds!, data.toString('hex')])
    })
    parser.on('end', () => resolve())
    parser.on('error', reject)
  })
  assert.deepEqual(
    read,
    packets.map(({ time, bytes }) => [
      Number(time / 1_000_000_000n),
      Number((time % 1_000_000_000n) / 1000n),
      Buffer.from(bytes).toString('hex'),
    ]),
  )
})
