/** OPEN: W09 to W25 of interop.py, as far as they do not depend on who was expected. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { parseBgpId } from '../../src/bgp/bgp-id.ts'
import { allOf, type Capability, capability } from '../../src/bgp/capability/capabilities.ts'
import { BgpError } from '../../src/bgp/errors.ts'
import { decodeOpen, encodeOpen, type Open } from '../../src/bgp/message/open.ts'
import { bytes, hexOf, messageHex, octets } from './octets.ts'

const byte = (value: number) => value.toString(16).padStart(2, '0')
const two = (value: number) => value.toString(16).padStart(4, '0')
const ID = '0a000065'
const MP4 = '010400010001'
const AS4 = '41040000fe4c'

interface Fields {
  readonly version?: string
  readonly as?: string
  readonly hold?: string
  readonly id?: string
}

/** With this length of the parameters and these octets behind it. */
function raw(length: number, parameters: string, { version = '04', as = 'fe4c', hold = '005a', id = ID }: Fields = {}) {
  return bytes(messageHex(1, `${version}${as}${hold}${id}${byte(length)}${parameters}`))
}

const open = (parameters: string, fields: Fields = {}) => raw(octets(parameters), parameters, fields)
const parameter = (...capabilities: string[]) => `02${byte(octets(capabilities.join('')))}${capabilities.join('')}`
const names = ({ capabilities }: Open) => capabilities.map((each) => (each.name === 'other' ? each.code : each.name))

describe('an OPEN is refused', () => {
  const cases: [title: string, message: Uint8Array, answer: string][] = [
    ['W10 version 5', open(parameter(MP4), { version: '05' }), '2/1 0004'],
    ['version 3', open('', { version: '03' }), '2/1 0004'],
    ['W11 hold time 1', open('', { hold: '0001' }), '2/6 '],
    ['W12 hold time 2', open('', { hold: '0002' }), '2/6 '],
    ['W14 identifier 0.0.0.0', open('', { id: '00000000' }), '2/3 '],
    ['W16 parameter 99', open(`63020102${parameter(MP4)}`), '2/4 '],
    ['authentication, which RFC 4271 deprecates', open('010100'), '2/4 '],
    ['W23 AS 0', open('', { as: '0000' }), '2/2 '],
    ['AS 0 in the capability', open(parameter('410400000000')), '2/2 '],
    ['parameters longer than the message', raw(9, parameter(MP4)), '2/0 '],
    ['parameters shorter than the message', raw(7, parameter(MP4)), '2/0 '],
    ['a parameter that runs past the message', open(`0209${MP4}`), '2/0 '],
    ['a parameter without a length', open('02'), '2/0 '],
    ['a capability that runs past its parameter', open(parameter('01050001')), '2/0 '],
    ['a capability without a length', open(parameter('01')), '2/0 '],
    ['extended parameters longer than the message', raw(255, `ff00ff${MP4}`), '2/0 '],
    ['extended parameters without a length', raw(255, 'ff00'), '2/0 '],
  ]
  for (const [title, message, answer] of cases) {
    test(`${title}: ${answer}`, () => {
      assert.throws(
        () => decodeOpen(message),
        (error) => error instanceof BgpError && `${error.code}/${error.subcode} ${hexOf(error.data)}` === answer,
      )
    })
  }
})

describe('an OPEN is accepted', () => {
  test('W13 with hold time 0', () => assert.equal(decodeOpen(open('', { hold: '0000' })).holdTime, 0))
  test('W18 without any capability', () => {
    assert.deepEqual(decodeOpen(open('')), { as: 65100, holdTime: 90, id: parseBgpId('10.0.0.101'), capabilities: [] })
  })

  test('W17 with unknown capabilities, which are kept', () => {
    const { capabilities } = decodeOpen(open(parameter(MP4, 'c803010203', '4d00', AS4)))
    assert.deepEqual(capabilities[1], { name: 'other', code: 200, data: Uint8Array.of(1, 2, 3) })
    assert.deepEqual(capabilities[2], { name: 'other', code: 77, data: new Uint8Array(0) })
  })

  test('W21 with capabilities spread over several parameters', () => {
    const spread = decodeOpen(open(parameter(MP4) + parameter('0200') + parameter(AS4)))
    assert.deepEqual(spread, decodeOpen(open(parameter(MP4, '0200', AS4))))
  })

  test('W22 with more than 255 octets of parameters (RFC 9072)', () => {
    const long = [parameter(MP4, AS4), `02${byte(252)}c8fa${'79'.repeat(250)}`, parameter(`c964${'7a'.repeat(100)}`)]
    const extended = long.map((each) => `02${two(Number.parseInt(each.slice(2, 4), 16))}${each.slice(4)}`).join('')
    const read = decodeOpen(raw(255, `ff${two(octets(extended))}${extended}`))
    assert.deepEqual(names(read), ['multiprotocol', 'four-octet-as', 200, 201])
  })

  test('in the form of RFC 9072 also when that was not necessary, whatever the first length says', () => {
    const extended = `020006${MP4}`
    assert.deepEqual(names(decodeOpen(raw(255, `ff0009${extended}`))), ['multiprotocol'])
    assert.deepEqual(names(decodeOpen(raw(1, `ff0009${extended}`))), ['multiprotocol'])
  })

  test('W24 with capabilities twice', () => {
    const { capabilities } = decodeOpen(open(parameter(MP4, MP4, AS4, AS4)))
    assert.equal(allOf(capabilities, 'multiprotocol').length, 2)
    assert.equal(capability(capabilities, 'four-octet-as'), 65100)
  })

  test('W25 with an empty parameter', () => {
    assert.deepEqual(names(decodeOpen(open(`0200${parameter(MP4, AS4)}`))), ['multiprotocol', 'four-octet-as'])
  })
})

test('the AS number is that of the capability', () => {
  assert.equal(decodeOpen(open(parameter('4104fa56ea01'), { as: '5ba0' })).as, 4_200_000_001)
})

test('an AS number above 65535 is AS_TRANS in the field', () => {
  const capabilities: Capability[] = [{ name: 'four-octet-as', value: 4_200_000_001 }]
  const message = encodeOpen({ as: 4_200_000_001, holdTime: 90, id: 1, capabilities })
  assert.equal(hexOf(message).slice(2 * 20, 2 * 22), '5ba0')
  assert.equal(decodeOpen(message).as, 4_200_000_001)
})

test('more capabilities than 255 octets hold go out in the form of RFC 9072, and no sooner', () => {
  const of = (length: number): Open => ({
    as: 65001,
    holdTime: 90,
    id: 1,
    capabilities: [{ name: 'other', code: 200, data: new Uint8Array(length) }],
  })
  const fits = encodeOpen(of(251))
  assert.equal(hexOf(fits.subarray(28, 32)), 'ff02fdc8')
  const not = encodeOpen(of(252))
  assert.equal(hexOf(not.subarray(28, 36)), 'ffff01010200fec8')
  for (const message of [fits, not]) {
    assert.equal(hexOf(encodeOpen(decodeOpen(message))), hexOf(message))
  }
})

test('a capability of more than 255 octets cannot be encoded', () => {
  const capabilities: Capability[] = [{ name: 'other', code: 200, data: new Uint8Array(256) }]
  assert.throws(() => encodeOpen({ as: 65001, holdTime: 90, id: 1, capabilities }), RangeError)
})
