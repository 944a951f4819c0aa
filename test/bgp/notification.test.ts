/** NOTIFICATION and ROUTE-REFRESH. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { BgpError, CeaseError, formatErrorCode } from '../../src/bgp/errors.ts'
import { MessageType } from '../../src/bgp/message/header.ts'
import {
  decodeNotification,
  encodeNotification,
  formatNotification,
  hardReset,
  hardResetReason,
  maximumPrefixesReached,
  type Notification,
  notificationOf,
  prefixLimit,
  shutdown,
  shutdownText,
} from '../../src/bgp/message/notification.ts'
import { decodeRouteRefresh, encodeRouteRefresh } from '../../src/bgp/message/route-refresh.ts'
import { vectors } from './captures/vectors.ts'
import { bytes, hexOf, messageHex } from './octets.ts'

const NO_DATA = new Uint8Array(0)
const notification = (code: number, subcode: number, data = NO_DATA): Notification => ({ code, subcode, data })

test('an error of ours is the NOTIFICATION that says so', () => {
  const message = encodeNotification(notificationOf(new BgpError(1, 2, 'length 18', Uint8Array.of(0, 18))))
  assert.equal(hexOf(message), messageHex(3, '01020012'))
})

test('codes have the names of the captures, as far as these follow the registry', () => {
  const seen = new Set<string>()
  // pcap2vectors.py has its own names for these.
  const unlike = ['5/1', '5/3', '6/1']
  for (const { means } of vectors) {
    const [, code, subcode, name] = /^NOTIFICATION (\d+)\/(\d+) (.*) data=/.exec(means) ?? []
    if (name === undefined || unlike.includes(`${code}/${subcode}`)) continue
    const ours = formatErrorCode(Number(code), Number(subcode))
    assert.ok(ours.includes(name), `${ours} for ${name}`)
    seen.add(`${code}/${subcode}`)
  }
  assert.ok(seen.size >= 15)
})

test('a code without a name is shown by its numbers', () => {
  assert.equal(formatErrorCode(99, 7), '99/7')
  assert.equal(formatErrorCode(6, 77), '6/77 Cease')
  assert.equal(formatErrorCode(4, 0), '4/0 Hold Timer Expired')
})

describe('a shutdown communication (RFC 9003)', () => {
  test('goes there and back', () => {
    const message = encodeNotification(shutdown(CeaseError.administrativeShutdown, 'maintenance – 5 min'))
    assert.equal(shutdownText(decodeNotification(message)), 'maintenance – 5 min')
  })

  test('is W49’s hello', () => {
    const read = decodeNotification(bytes(messageHex(3, '06020568656c6c6f')))
    assert.equal(shutdownText(read), 'hello')
    assert.equal(formatNotification(read), '6/2 Cease: Administrative Shutdown: "hello"')
  })

  test('is no octet when there is no text', () => {
    assert.equal(hexOf(encodeNotification(shutdown(CeaseError.administrativeReset))), messageHex(3, '0604'))
  })

  test('of 255 octets is whole, and a longer one is cut between characters', () => {
    const text = 'é'.repeat(200)
    assert.equal(shutdownText(shutdown(2, 'x'.repeat(255))), 'x'.repeat(255))
    assert.equal(shutdownText(shutdown(2, text)), 'é'.repeat(127))
  })

  for (const [title, data] of [
    ['nothing', ''],
    ['an empty text', '00'],
    ['fewer octets than it says', '0568'],
    ['no UTF-8', '02fffe'],
  ] as const) {
    test(`is undefined for ${title}`, () => assert.equal(shutdownText(notification(6, 2, bytes(data))), undefined))
  }

  test('is looked for in no other NOTIFICATION', () => {
    assert.equal(shutdownText(notification(6, 3, bytes('0161'))), undefined)
    assert.equal(shutdownText(notification(3, 2, bytes('0161'))), undefined)
  })
})

test('the limit of prefixes is RFC 4486’s, and FRR’s', () => {
  const limit = { afi: 1, safi: 1, limit: 3 }
  assert.equal(hexOf(encodeNotification(maximumPrefixesReached(limit))), messageHex(3, '060100010100000003'))
  assert.deepEqual(prefixLimit(maximumPrefixesReached(limit)), limit)
  assert.equal(prefixLimit(notification(6, 1)), undefined)
  const name = '6/1 Cease: Maximum Number of Prefixes Reached'
  assert.equal(formatNotification(maximumPrefixesReached(limit)), `${name}: 3 of ipv4 unicast`)
})

describe('a hard reset (RFC 8538)', () => {
  test('wraps its reason', () => {
    const reason = shutdown(CeaseError.administrativeShutdown, 'bye')
    assert.equal(hexOf(encodeNotification(hardReset(reason))), messageHex(3, '0609060203627965'))
    assert.deepEqual(hardResetReason(hardReset(reason)), reason)
    assert.equal(
      formatNotification(hardReset(reason)),
      '6/9 Cease: Hard Reset: 6/2 Cease: Administrative Shutdown: "bye"',
    )
  })
  test('within another is not looked into', () => {
    const nested = hardReset(hardReset(hardReset({ code: 6, subcode: 2, data: new Uint8Array(0) })))
    assert.equal(formatNotification(nested), '6/9 Cease: Hard Reset: 6/9 Cease: Hard Reset')
  })
  test('may come without one', () => assert.equal(hardResetReason(notification(6, 9)), undefined))
  test('is no other Cease', () => assert.equal(hardResetReason(notification(6, 2, bytes('0602'))), undefined))
})

test('data without a meaning are shown in hexadecimal', () => {
  assert.equal(
    formatNotification(notification(2, 1, bytes('0400'))),
    '2/1 OPEN Message Error: Unsupported Version Number, data 0400',
  )
})

describe('ROUTE-REFRESH', () => {
  const family = { afi: 2, safi: 1 }

  test('a request, and the beginning and end of a refresh', () => {
    for (const [subtype, octet] of [
      ['request', '00'],
      ['beginning', '01'],
      ['end', '02'],
      [9, '09'],
    ] as const) {
      const message = messageHex(5, `0002${octet}01`)
      assert.deepEqual(decodeRouteRefresh(bytes(message)), { ...family, subtype })
      assert.equal(hexOf(encodeRouteRefresh({ ...family, subtype })), message)
    }
  })

  test('in the form of Cisco', () => {
    const message = encodeRouteRefresh({ ...family, subtype: 'request' }, MessageType.ciscoRouteRefresh)
    assert.equal(hexOf(message), messageHex(128, '00020001'))
  })

  test('a request with filters behind it (RFC 5291) is a request', () => {
    assert.equal(decodeRouteRefresh(bytes(messageHex(5, '0001000101800000'))).subtype, 'request')
  })

  test('a beginning that is longer is answered with 7/1 and the whole message', () => {
    const message = messageHex(5, '0001010100')
    assert.throws(
      () => decodeRouteRefresh(bytes(message)),
      (error) => error instanceof BgpError && error.code === 7 && error.subcode === 1 && hexOf(error.data) === message,
    )
  })
})
