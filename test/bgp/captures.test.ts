/** Every message that BIRD, FRR, GoBGP and scripted peers sent in the captures: what it means, and how it is sent again. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { BgpError } from '../../src/bgp/errors.ts'
import { encodeKeepalive } from '../../src/bgp/message/keepalive.ts'
import { decodeMessage, type Message } from '../../src/bgp/message/message.ts'
import { encodeNotification } from '../../src/bgp/message/notification.ts'
import { encodeOpen } from '../../src/bgp/message/open.ts'
import { encodeAnnouncement, encodeEndOfRib, encodeWithdrawal } from '../../src/bgp/message/pack.ts'
import { MessageReader } from '../../src/bgp/message/reader.ts'
import { encodeRouteRefresh } from '../../src/bgp/message/route-refresh.ts'
import { canonical } from './captures/canonical.ts'
import { comparable, explain } from './captures/explain.ts'
import { type Vector, vectorFolder, vectors } from './captures/vectors.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function decode({ bytes, session }: Vector): Message {
  const reader = new MessageReader()
  reader.push(bytes.slice())
  const message = reader.next()
  assert.ok(message, 'the message is whole')
  return decodeMessage(message, session)
}

/** Wrong on purpose: what they are answered with. By the octets behind the marker, since `means` has many names for them. */
const refused: readonly (readonly [octets: RegExp, answer: string, count: number])[] = [
  [/^0{32}001304$/, '1/1 ', 3],
  [/^f{32}001204$/, '1/2 0012', 3],
  [/^f{32}138802/, '1/2 1388', 3],
  [/^f{32}001309$/, '1/3 09', 3],
  [/^f{32}00250105/, '2/1 0004', 3],
  [/^f{32}0029.*0c63020102/, '2/4 ', 3],
  [/^f{32}00250104fe520001/, '2/6 ', 3],
  [/^f{32}00250104fe53005a00000000/, '2/3 ', 3],
  [/^f{32}002f02000007d0/, '3/1 ', 4],
  [/^f{32}0031.*211e00000000$/, '3/10 ', 4],
  [/^f{32}003502.*800e0e000101050a0000010100181e0000$/, '3/9 800e0e000101050a0000010100181e0000', 3],
  [/(800e0d.*){2}/, '3/1 ', 1],
  [/40c80101181e0032$/, '3/2 40c80101', 1],
]

/** Their routes count as withdrawn, or one attribute of them is dropped: test/bgp/malformed.test.ts. */
const damaged = vectors.filter((vector) => !answerTo(vector) && isDamaged(vector))

function answerTo({ bytes }: Vector): string | undefined {
  return refused.find(([octets]) => octets.test(hex(bytes)))?.[1]
}

function isDamaged(vector: Vector): boolean {
  const message = decode(vector)
  return message.type === 'UPDATE' && message.update.damage.length > 0
}

for (const vector of vectors) {
  const answer = answerTo(vector)
  if (answer !== undefined) {
    test(`${vector.title} is refused`, () => {
      assert.throws(
        () => decode(vector),
        (error) => error instanceof BgpError && `${error.code}/${error.subcode} ${hex(error.data)}` === answer,
      )
    })
  } else if (!damaged.includes(vector)) {
    test(`${vector.title} is understood and sent again`, () => {
      const message = decode(vector)
      assert.equal(explain(message), comparable(vector.means))
      assert.equal(hex(encode(message, vector)), hex(canonical(Buffer.from(vector.bytes))))
    })
  }
}

/** Whether IPv4 routes go into MP_UNREACH_NLRI is the sender's choice. */
function encode(message: Message, { as4, means }: Vector): Uint8Array {
  switch (message.type) {
    case 'OPEN':
      return encodeOpen(message.open)
    case 'NOTIFICATION':
      return encodeNotification(message.notification)
    case 'KEEPALIVE':
      return encodeKeepalive()
    case 'ROUTE-REFRESH':
      return encodeRouteRefresh(message.refresh)
    case 'UPDATE': {
      const sending = { as4, longest: 4096 }
      const { withdrawn, announced, endOfRib } = message.update
      if (endOfRib) return encodeEndOfRib(endOfRib)
      const messages = [
        ...withdrawn.flatMap((each) => encodeWithdrawal(each, sending, means.includes('mp_unreach'))),
        ...announced.flatMap((each) => encodeAnnouncement(each, sending) ?? []),
      ]
      assert.equal(messages.length, 1)
      return messages[0]!
    }
  }
}

test('the captures hold what they are for', () => {
  assert.equal(vectors.length, 404)
  for (const [octets, , count] of refused) {
    assert.equal(vectors.filter(({ bytes }) => octets.test(hex(bytes))).length, count, String(octets))
  }
  assert.deepEqual(
    damaged.map(({ check }) => check),
    ['U01', 'U03', 'U06', 'U08', 'U10', 'U12', 'U14', 'U15', 'U18', 'U20', 'U29'],
  )
  const seen = (pattern: RegExp) => vectors.filter(({ means }) => pattern.test(means)).length
  for (const pattern of [
    /^OPEN/,
    /^KEEP/,
    /^NOTIF/,
    /BoRR/,
    /EoRR/,
    /End-of-RIB IPv4/,
    /End-of-RIB afi=2/,
    /mp_reach afi=1/,
  ]) {
    assert.ok(seen(pattern) > 0, String(pattern))
  }
})

// Where a checkout stands beside the place that the captures come from; elsewhere there is nothing to compare with.
const origin = join(import.meta.dirname, '../../../shared/captures/bgp')
if (existsSync(origin)) {
  test('the copy is not older than its origin', () => {
    for (const file of ['README.md', 'vectors.jsonl']) {
      assert.equal(readFileSync(join(vectorFolder, file), 'utf8'), readFileSync(join(origin, file), 'utf8'), file)
    }
  })
}
