/**
 * UDP, ICMP and others, and what is no part of a connection, as Linux 6.18 decides it.
 *
 * Recorded as test/model/netfilter/conntrack-tcp.test.ts says, with `udp dport 9999 notrack` at PREROUTING. A row is a packet
 * from its IP header on, `>` from 10.0.1.2 or `<` from 10.0.2.2; its `--ctstate`; and `conntrack -L` 60 ms later. A number
 * is a wait in seconds.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { ConntrackEntry, ConntrackTuple } from '../../../src/kernel/conntrack.ts'
import { u16 } from '../../../src/model/bytes.ts'
import { MILLISECOND, SECOND } from '../../../src/model/clock.ts'
import type { ConntrackSettings } from '../../../src/model/netfilter/conntrack/settings.ts'
import { Hook, Priority, Verdict } from '../../../src/model/netfilter/hooks.ts'
import { Router } from './router.ts'

type Row = number | readonly [what: string, packet: string, state: string, entry: string]

const rows: readonly (readonly [title: string, settings: Partial<ConntrackSettings>, packets: readonly Row[]])[] = [
  [
    'UDP',
    {},
    [
      [
        '> first',
        '4500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'NEW',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '> again',
        '4500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'NEW',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< answer',
        '4500001d00010000401163cc0a0002020a00010200350fa00009610378',
        'ESTABLISHED',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '> more',
        '4500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'ESTABLISHED',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      2.2,
      [
        '> later',
        '4500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'ESTABLISHED',
        '17 119 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000 [ASSURED]',
      ],
    ],
  ],
  [
    'UDP that is wrong',
    {},
    [
      ['> bad checksum', '4500001d00010000401163cc0a0001020a0002020fa000350009610379', 'INVALID', '-'],
      [
        '> no checksum',
        '4500001d00010000401163cc0a0001020a0002020fa000350009000078',
        'NEW',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '> length beyond the packet',
        '4500001d00010000401163cc0a0001020a0002020fa000350040610378',
        'INVALID',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
    ],
  ],
  [
    'UDP that is not tracked',
    {},
    [['> to 9999', '4500001d00010000401163cc0a0001020a0002020fa0270f00093a2978', 'UNTRACKED', '-']],
  ],
  [
    'echo',
    {},
    [
      [
        '> request',
        '4500001c00010000400163dd0a0001020a0002020800f7f700070001',
        'NEW',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=8 code=0 id=7 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=0 code=0 id=7',
      ],
      [
        '> request again',
        '4500001c00010000400163dd0a0001020a0002020800f7f700070001',
        'NEW',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=8 code=0 id=7 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=0 code=0 id=7',
      ],
      [
        '< reply',
        '4500001c00010000400163dd0a0002020a0001020000fff700070001',
        'ESTABLISHED',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=8 code=0 id=7 src=10.0.2.2 dst=10.0.1.2 type=0 code=0 id=7',
      ],
      [
        '> request after the reply',
        '4500001c00010000400163dd0a0001020a0002020800f7f700070001',
        'ESTABLISHED',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=8 code=0 id=7 src=10.0.2.2 dst=10.0.1.2 type=0 code=0 id=7',
      ],
      [
        '< reply of another identifier',
        '4500001c00010000400163dd0a0002020a0001020000fff600080001',
        'INVALID',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=8 code=0 id=7 src=10.0.2.2 dst=10.0.1.2 type=0 code=0 id=7',
      ],
    ],
  ],
  [
    'other ICMP',
    {},
    [
      [
        '> timestamp',
        '4500002800010000400163d10a0001020a0002020d00f2f500090001000000000000000000000000',
        'NEW',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=13 code=0 id=9 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=14 code=0 id=9',
      ],
      [
        '> type 40',
        '4500001c00010000400163dd0a0001020a0002022800d7ff00000000',
        'INVALID',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=13 code=0 id=9 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=14 code=0 id=9',
      ],
      [
        '> type 7',
        '4500001c00010000400163dd0a0001020a0002020700f8ff00000000',
        'INVALID',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=13 code=0 id=9 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=14 code=0 id=9',
      ],
      [
        '> bad checksum',
        '4500001c00010000400163dd0a0001020a0002020800f7f700070000',
        'INVALID',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=13 code=0 id=9 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=14 code=0 id=9',
      ],
      [
        '> router solicitation',
        '4500001c00010000400163dd0a0001020a0002020a00f5ff00000000',
        'INVALID',
        '1 29 src=10.0.1.2 dst=10.0.2.2 type=13 code=0 id=9 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 type=14 code=0 id=9',
      ],
    ],
  ],
  [
    'ICMP errors',
    {},
    [
      [
        '> datagram',
        '4500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'NEW',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< 3/3 about it',
        '4500003900010000400163c00a0002020a0001020303141b000000004500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'RELATED',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< 11/0 of a router',
        '4500003900010000400163b90a0002090a0001020b000c1e000000004500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'RELATED',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< 3/3 to somebody else',
        '4500003900010000400163bf0a0002020a0001030303141b000000004500001d00010000401163cc0a0001020a0002020fa000350009610378',
        'INVALID',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< 3/3 about nothing known',
        '4500003900010000400163c00a0002020a0001020303141b000000004500001d00010000401163cc0a0001020a0002020fa100350009610278',
        'INVALID',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< 3/3 with a bad checksum',
        '4500003900010000400163c00a0002020a0001020303141b000000004500001d00010000401163cc0a0001020a0002020fa000350009610379',
        'INVALID',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '> 3/3 about the answer',
        '4500003900010000400163c00a0001020a0002020303141b000000004500001d00010000401163cc0a0002020a00010200350fa00009610378',
        'RELATED',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
      [
        '< 3/3 with too little quoted',
        '4500003400010000400163c50a0002020a0001020303ed27000000004500001d00010000401163cc0a0001020a0002020fa00035',
        'RELATED',
        '17 29 src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=53 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=53 dport=4000',
      ],
    ],
  ],
  [
    'other protocols',
    {},
    [
      [
        '> 99',
        '45000018000100004063637f0a0001020a00020261626364',
        'NEW',
        '99 599 src=10.0.1.2 dst=10.0.2.2 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2',
      ],
      [
        '< 99 back',
        '45000018000100004063637f0a0002020a00010261626364',
        'ESTABLISHED',
        '99 599 src=10.0.1.2 dst=10.0.2.2 src=10.0.2.2 dst=10.0.1.2',
      ],
      [
        '> 99',
        '45000018000100004063637f0a0001020a00020261626364',
        'ESTABLISHED',
        '99 599 src=10.0.1.2 dst=10.0.2.2 src=10.0.2.2 dst=10.0.1.2',
      ],
    ],
  ],
  [
    'TCP that is wrong',
    {},
    [
      [
        '> bad checksum',
        '4500002800010000400663cc0a0001020a00020203e800500000000100000000500201f492b20001',
        'INVALID',
        '-',
      ],
    ],
  ],
  [
    'unchecked',
    { nf_conntrack_checksum: 0 },
    [
      [
        '> TCP with a bad checksum',
        '4500002800010000400663cc0a0001020a00020203e800500000000100000000500201f492b20001',
        'NEW',
        '6 119 SYN_SENT src=10.0.1.2 dst=10.0.2.2 sport=1000 dport=80 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=80 dport=1000',
      ],
    ],
  ],
]

for (const [title, settings, packets] of rows) {
  test(title, () => {
    const router = new Router()
    Object.assign(router.conntrack.settings, settings)
    router.addChain(Hook.prerouting, Priority.raw, (packet) => {
      packet.untracked = u16(packet.bytes, packet.network + 22) === 9999
      return Verdict.accept
    })
    for (const row of packets) {
      if (typeof row === 'number') {
        router.namespace.model.advance(row * SECOND)
        continue
      }
      const [what, packet, state, entry] = row
      const frame = Uint8Array.from(Buffer.from(`02000000010a02000000000a0800${packet}`, 'hex'))
      assert.equal(router.stateOf(router.forward(frame, what.startsWith('>'))), state, what)
      router.namespace.model.advance(60 * MILLISECOND)
      assert.equal(router.conntrack.list().map(lineOf).join('\n') || '-', entry, what)
    }
  })
}

/** As conntrack(8) writes it, behind the protocol's name. */
function lineOf({ protocol, timeout, state, original, reply, seenReply, assured }: ConntrackEntry): string {
  const head = [protocol, timeout, state].filter((word) => word !== undefined).join(' ')
  const ends = `${tupleText(original)}${seenReply ? '' : ' [UNREPLIED]'} ${tupleText(reply)}`
  return `${head} ${ends}${assured ? ' [ASSURED]' : ''}`
}

function tupleText({ source, destination, ...tuple }: ConntrackTuple): string {
  const ends = `src=${source} dst=${destination}`
  if (tuple.sourcePort !== undefined) return `${ends} sport=${tuple.sourcePort} dport=${tuple.destinationPort}`
  if (tuple.icmpType === undefined) return ends
  return `${ends} type=${tuple.icmpType} code=${tuple.icmpCode} id=${tuple.icmpId}`
}
