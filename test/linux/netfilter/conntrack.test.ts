/**
 * Connections as ctnetlink tells them: messages of Linux 6.18, each under the line that `conntrack -L` wrote of the same
 * entry, up to a second before.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { ConntrackEntry } from '../../../src/kernel/conntrack.ts'
import { decodeConnection } from '../../../src/linux/netfilter/conntrack.ts'

const rows: readonly (readonly [line: string, message: string, entry: ConntrackEntry])[] = [
  [
    'tcp      6 431999 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=40000 dport=4444 src=127.0.0.1 dst=127.0.0.1 sport=4444 dport=40000 [ASSURED] mark=0 use=1',
    '020000003400018014000180080001007f000001080002007f0000011c0002800500010006000000060002009c40000006000300115c00003400028014000180080001007f000001080002007f0000011c000280050001000600000006000200115c0000060003009c400000080003000000000e080008000000000008000c00209a1c4508000b0000000001080007000006977e300004802c0001800500010003000000050002000a000000050003000a00000006000400230000000600050023000000',
    {
      family: 'ipv4',
      protocol: 6,
      original: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 40_000, destinationPort: 4444 },
      reply: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 4444, destinationPort: 40_000 },
      state: 'ESTABLISHED',
      timeout: 431_998,
      mark: 0,
      seenReply: true,
      assured: true,
    },
  ],
  [
    'udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=44793 dport=9 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=44793 mark=42 zone=7 use=1',
    '020000003400018014000180080001007f000001080002007f0000011c000280050001001100000006000200aef9000006000300000900003400028014000180080001007f000001080002007f0000011c0002800500010011000000060002000009000006000300aef9000006001200000700000800030000000008080008000000002a08000c003d29db4e08000b0000000001080007000000001d',
    {
      family: 'ipv4',
      protocol: 17,
      original: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 44_793, destinationPort: 9 },
      reply: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 9, destinationPort: 44_793 },
      timeout: 29,
      mark: 42,
      seenReply: false,
      assured: false,
      zone: 7,
    },
  ],
  [
    'icmpv6   58 29 src=::1 dst=::1 type=128 code=0 id=960 src=::1 dst=::1 type=129 code=0 id=960 mark=0 use=1',
    '0a000000540001802c0001801400030000000000000000000000000000000001140004000000000000000000000000000000000124000280050001003a0000000600070003c0000005000800800000000500090000000000540002802c0001801400030000000000000000000000000000000001140004000000000000000000000000000000000124000280050001003a0000000600070003c0000005000800810000000500090000000000080003000000000a080008000000000008000c00facab03208000b0000000001080007000000001c',
    {
      family: 'ipv6',
      protocol: 58,
      original: { source: '::1', destination: '::1', icmpType: 128, icmpCode: 0, icmpId: 960 },
      reply: { source: '::1', destination: '::1', icmpType: 129, icmpCode: 0, icmpId: 960 },
      timeout: 28,
      mark: 0,
      seenReply: true,
      assured: false,
    },
  ],
  [
    'icmp     1 29 src=127.0.0.1 dst=127.0.0.1 type=8 code=0 id=959 src=127.0.0.1 dst=127.0.0.1 type=0 code=0 id=959 mark=42 use=1',
    '020000003c00018014000180080001007f000001080002007f0000012400028005000100010000000600040003bf0000050005000800000005000600000000003c00028014000180080001007f000001080002007f0000012400028005000100010000000600040003bf000005000500000000000500060000000000080003000000000a080008000000002a08000c000c0c93b908000b0000000001080007000000001c',
    {
      family: 'ipv4',
      protocol: 1,
      original: { source: '127.0.0.1', destination: '127.0.0.1', icmpType: 8, icmpCode: 0, icmpId: 959 },
      reply: { source: '127.0.0.1', destination: '127.0.0.1', icmpType: 0, icmpCode: 0, icmpId: 959 },
      timeout: 28,
      mark: 42,
      seenReply: true,
      assured: false,
    },
  ],
]

for (const [line, message, entry] of rows) {
  test(line, () => assert.deepEqual(decodeConnection(Uint8Array.from(Buffer.from(message, 'hex'))), entry))
}
