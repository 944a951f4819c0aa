/**
 * TCP's states and windows as Linux 6.18 decides them.
 *
 * The rows were recorded on it: two hosts, raw frames on either side of a router with `ip dscp set` by `ct state` at FORWARD,
 * and `conntrack -L` behind each packet. A packet is: direction, flags, sequence, acknowledgement, bytes, window, and o where
 * it has the options of a SYN (MSS 1460, SACK permitted, window scale 7). Then its `--ctstate`, and the entry's state and
 * seconds left, 60 ms later.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { MILLISECOND } from '../../../src/model/clock.ts'
import type { ConntrackSettings } from '../../../src/model/netfilter/conntrack/settings.ts'
import { setClosing } from '../../../src/model/netfilter/conntrack.ts'
import { Router } from './router.ts'
import { tcpFrame } from './segments.ts'

type Row = readonly [packet: string, state: string, entry: string]

const OPTIONS = [2, 4, 5, 180, 4, 2, 3, 3, 7, 1]

const rows: readonly (readonly [title: string, settings: Partial<ConntrackSettings>, packets: readonly Row[]])[] = [
  [
    'open, data, close',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> PA 101 501 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
      ['< A 501 111 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< FA 501 111 0 500', 'ESTABLISHED', 'FIN_WAIT 119 assured'],
      ['> A 111 502 0 500', 'ESTABLISHED', 'CLOSE_WAIT 59 assured'],
      ['> FA 111 502 0 500', 'ESTABLISHED', 'LAST_ACK 29 assured'],
      ['< A 502 112 0 500', 'ESTABLISHED', 'TIME_WAIT 119 assured'],
    ],
  ],
  [
    'reopen from time wait',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< FA 501 101 0 500', 'ESTABLISHED', 'FIN_WAIT 119 assured'],
      ['> FA 101 502 0 500', 'ESTABLISHED', 'LAST_ACK 29 assured'],
      ['< A 502 102 0 500', 'ESTABLISHED', 'TIME_WAIT 119 assured'],
      ['> S 9000 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 7000 9001 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
    ],
  ],
  ['lone syn-ack', {}, [['> SA 100 5 0 64000 o', 'INVALID', '-']]],
  [
    'pick-up',
    {},
    [
      ['> A 100 500 10 500', 'NEW', 'ESTABLISHED 299'],
      ['< A 500 110 0 500', 'ESTABLISHED', 'ESTABLISHED 299'],
      ['> A 110 500 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
    ],
  ],
  ['pick-up refused', { nf_conntrack_tcp_loose: 0 }, [['> A 100 500 10 500', 'INVALID', '-']]],
  [
    'refused',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< RA 0 101 0 0', 'ESTABLISHED', '-'],
      ['> S 101 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
    ],
  ],
  [
    'reset',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> R 101 0 0 0', 'ESTABLISHED', 'CLOSE 9 assured'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'CLOSE 9 assured'],
    ],
  ],
  [
    'reset out of window',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> R 900000000 0 0 0', 'INVALID', 'ESTABLISHED 431999 assured'],
      ['< R 400 0 0 0', 'INVALID', 'ESTABLISHED 431999 assured'],
      ['< R 600 0 0 0', 'ESTABLISHED', 'ESTABLISHED 9 assured'],
    ],
  ],
  [
    'ack of data not seen',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< A 501 5000 0 500', 'INVALID', 'ESTABLISHED 431999 assured'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
    ],
  ],
  [
    'seq over window',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> A 90000000 501 10 500', 'INVALID', 'ESTABLISHED 431999 assured'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
    ],
  ],
  [
    'liberal',
    { nf_conntrack_tcp_be_liberal: 1 },
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< A 501 5000 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> A 90000000 501 10 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
    ],
  ],
  [
    'syn again, simultaneous',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< S 500 0 0 65000 o', 'ESTABLISHED', 'SYN_SENT2 119'],
      ['> SA 100 501 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
    ],
  ],
  [
    'flags',
    {},
    [
      ['> SF 100 0 0 64000', 'INVALID', '-'],
      ['> FPU 100 0 0 64000', 'INVALID', '-'],
      ['>  100 0 0 64000', 'INVALID', '-'],
      ['> SU 100 0 0 64000', 'NEW', 'SYN_SENT 119'],
    ],
  ],
  [
    'syn into established',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> S 5000 0 0 64000 o', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< A 501 101 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> R 101 0 0 0', 'ESTABLISHED', 'CLOSE 9 assured'],
    ],
  ],
  [
    'syn into established resync',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> S 5000 0 0 64000 o', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< SA 9000 5001 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59 assured'],
      ['> A 5001 9001 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
    ],
  ],
  [
    'retransmissions',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['> A 101 501 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
      ['> A 101 501 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
      ['> A 101 501 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
      ['> A 101 501 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
      ['> A 101 501 10 500', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
    ],
  ],
  [
    'fin in syn sent, ack in syn sent',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['> FA 101 0 0 500', 'INVALID', 'SYN_SENT 119'],
      ['> A 101 1 0 500', 'INVALID', 'SYN_SENT 119'],
      ['< A 700 300 0 500', 'ESTABLISHED', 'SYN_SENT 119'],
      ['> R 300 0 0 0', 'ESTABLISHED', 'CLOSE 9'],
    ],
  ],
  [
    'zero window',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< A 501 101 0 0', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
      ['< A 501 101 0 0', 'ESTABLISHED', 'ESTABLISHED 299 assured'],
    ],
  ],
  [
    'a reset by who had sent its syn again, after an ack that nobody had asked for',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< A 500 101 0 64000', 'ESTABLISHED', 'SYN_SENT 119'],
      ['> S 101 0 0 64000', 'ESTABLISHED', 'SYN_SENT 119'],
      ['> RA 102 500 0 64000', 'INVALID', 'SYN_SENT 119'],
      ['< RA 9000 500 0 64000', 'ESTABLISHED', 'CLOSE 9'],
    ],
  ],
  [
    'challenge ack in last ack',
    {},
    [
      ['> S 100 0 0 64000 o', 'NEW', 'SYN_SENT 119'],
      ['< SA 500 101 0 65000 o', 'ESTABLISHED', 'SYN_RECV 59'],
      ['> A 101 501 0 500', 'ESTABLISHED', 'ESTABLISHED 431999 assured'],
      ['< FA 501 101 0 500', 'ESTABLISHED', 'FIN_WAIT 119 assured'],
      ['> FA 101 502 0 500', 'ESTABLISHED', 'LAST_ACK 29 assured'],
      ['> S 4000 0 0 64000 o', 'ESTABLISHED', 'LAST_ACK 29 assured'],
      ['< A 502 102 0 500', 'ESTABLISHED', 'LAST_ACK 29 assured'],
      ['< A 502 102 0 500', 'ESTABLISHED', 'TIME_WAIT 119 assured'],
    ],
  ],
]

for (const [title, settings, packets] of rows) {
  test(`TCP: ${title}`, () => {
    const router = new Router()
    Object.assign(router.conntrack.settings, settings)
    for (const [text, state, entry] of packets) {
      const passed = send(router, text)
      assert.equal(router.stateOf(passed), state, text)
      router.namespace.model.advance(60 * MILLISECOND)
      assert.equal(entryOf(router), entry, text)
    }
  })
}

function send(router: Router, text: string) {
  const outward = text.startsWith('>')
  const [, flags, sequence, ack, length, window, options] = /^[<>] (\w*) (\d+) (\d+) (\d+) (\d+)( o)?$/.exec(text)!
  const [client, server] = ['10.0.1.2', '10.0.2.2']
  const frame = tcpFrame(outward ? { source: client, destination: server } : { source: server, destination: client }, {
    ports: outward ? [1000, 80] : [80, 1000],
    flags: flags!,
    sequence: Number(sequence),
    ack: Number(ack),
    window: Number(window),
    length: Number(length),
    options: options ? OPTIONS : [],
  })
  return router.forward(frame, outward)
}

function entryOf(router: Router): string {
  const [entry] = router.conntrack.list()
  return entry ? `${entry.state} ${entry.timeout}${entry.assured ? ' assured' : ''}` : '-'
}

const opening = ['> S 100 0 0 64000 o', '< SA 500 101 0 65000 o', '> A 101 501 0 500']

test('what passed while nobody tracked does not make later segments look out of the window', () => {
  for (const missed of [false, true]) {
    const router = new Router()
    for (const text of opening) send(router, text)
    if (missed) {
      router.conntrack.release('ip')
      router.conntrack.use('ip')
    }
    assert.equal(router.stateOf(send(router, '> A 90000000 501 10 500')), missed ? 'ESTABLISHED' : 'INVALID')
  }
})

test('a connection that the host itself has reset is closed', () => {
  const router = new Router()
  for (const text of opening) send(router, text)
  setClosing(send(router, '> PA 101 501 10 500')!)
  assert.equal(entryOf(router), 'CLOSE 10 assured')
})
