import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { JsonError } from '../../src/json/errors.ts'
import { asArray, asObject, JsonNumber, JsonObject, type JsonValue } from '../../src/json/json.ts'
import { parseJson } from '../../src/json/parser.ts'
import { formatCompactJson, formatJson, formatJsonValue } from '../../src/json/writer.ts'

const object = (text: string) => parseJson(text) as JsonObject

describe('parseJson() reads', () => {
  // text, and the value as JSON.parse would have it
  const rows: [string, unknown][] = [
    ['null', null],
    [' true ', true],
    ['\t\r\n false\n', false],
    ['""', ''],
    ['[]', []],
    ['[ ]', []],
    ['{}', {}],
    ['{ "a" : [ 1 , { "b" : null } ] , "c" : "d" }', { a: [1, { b: null }], c: 'd' }],
    ['[[[]],[{}]]', [[[]], [{}]]],
    ['"\\u00e4\\n\\"\\\\\\/\\b\\f\\r\\t"', 'ä\n"\\/\b\f\r\t'],
    ['"é\u2028€😀"', 'é\u2028€😀'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\uD83D\\uDE00"', '😀'],
    ['"\\ud800"', '\ufffd'],
    ['"\\udc00x"', '\ufffdx'],
    ['"\\ud800\\u0041"', '\ufffdA'],
    ['"\\ud800\\ud83d\\ude00"', '\ufffd😀'],
    ['"\u007f"', '\u007f'],
  ]
  for (const [text, value] of rows) test(text, () => assert.deepEqual(plain(parseJson(text)), value))
})

describe('parseJson() keeps the number', () => {
  for (const literal of [
    '0',
    '-0',
    '1500',
    '-1',
    '1500.0',
    '1.5e3',
    '1E+400',
    '1e-7',
    '123456789012345678901234567890',
  ]) {
    test(literal, () => assert.deepEqual(parseJson(literal), new JsonNumber(literal)))
  }
})

describe('parseJson() refuses', () => {
  const rows: [string, RegExp][] = [
    ['', /^Cannot decode JSON at character 0: a value is expected, found the end$/],
    ['   ', /at character 3: a value is expected, found the end/],
    ['{bad', /at character 1: a key in double quotes is expected, found "bad"/],
    ["{'a':1}", /a key in double quotes is expected/],
    ['{"a":1,}', /at character 7: a key in double quotes is expected, found "}"/],
    ['[1,]', /a value is expected, found "]"/],
    ['[,1]', /a value is expected/],
    ['{"a" 1}', /":" is expected, found "1}"/],
    ['{"a":1 "b":2}', /"," or "}" is expected/],
    ['[1 2]', /"," or "]" is expected/],
    ['[1}', /"," or "]" is expected/],
    ['{"a":1]', /"," or "}" is expected/],
    ['{"a":1} trailing', /the end is expected, found "trailing"/],
    ['{}{}', /the end is expected/],
    ['\ufeff{}', /a value is expected/],
    ['\u00a0{}', /a value is expected/],
    ['"a', /a string that ends/],
    ['"a\nb"', /no control characters/],
    ['"\\', /a string that ends/],
    ['"\\x41"', /whose escapes/],
    ['"\\u12g4"', /whose escapes/],
    ["'a'", /a value is expected/],
    ['01', /the end is expected, found "1"/],
    ['+1', /a value is expected/],
    ['.5', /a value is expected/],
    ['1.', /the end is expected/],
    ['1e', /the end is expected/],
    ['-', /a value is expected/],
    ['NaN', /a value is expected/],
    ['nul', /a value is expected/],
    ['nullx', /a value is expected/],
    ['True', /a value is expected/],
    ['constructor', /a value is expected/],
    ['// x\n1', /a value is expected/],
  ]
  for (const [text, message] of rows) {
    test(JSON.stringify(text), () =>
      assert.throws(() => parseJson(text), { name: 'JsonError', kind: 'decoding', message }),
    )
  }
})

test('parseJson() reads 10,000 levels of nesting and refuses one more', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  parseJson(nested(10_000))
  parseJson(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)
  assert.throws(() => parseJson(nested(10_001)), { kind: 'decoding', message: /there are more than 10000 levels/ })
  assert.throws(() => parseJson('{"a":['.repeat(50_000)), { kind: 'decoding' })
})

test('parseJson() agrees with JSON.parse on every document and on what is none', () => {
  const texts = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .array(fc.constantFrom(...'{}[]",:\\u0012d8e-+.truefalsn \n'), { maxLength: 12 })
      .map((letters) => letters.join('')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      let expected: unknown
      try {
        expected = JSON.parse(text, (_, value) => (typeof value === 'string' ? value.toWellFormed() : value))
      } catch {
        assert.throws(() => parseJson(text), JsonError)
        return
      }
      assert.equal(JSON.stringify(plain(parseJson(text))), JSON.stringify(expected))
    }),
    { numRuns: 1000 },
  )
})

describe('keys match as Go folds them:', () => {
  for (const [written, asked] of [
    ['isgateway', 'isGateway'],
    ['ISGATEWAY', 'isGateway'],
    ['IPAM', 'ipam'],
    ['\u017fubnet', 'subnet'],
    ['va\u212a', 'vak'],
    ['bridge', 'bridge'],
  ]) {
    test(`"${written}" is "${asked}"`, () => assert.equal(object(`{"${written}":"x"}`).string(asked!), 'x'))
  }
  for (const [written, asked] of [
    ['is_gateway', 'isGateway'],
    ['\u0131pam', 'ipam'],
    ['\u0130pam', 'ipam'],
    ['ipam ', 'ipam'],
  ]) {
    test(`"${written}" is not "${asked}"`, () => assert.equal(object(`{"${written}":"x"}`).string(asked!), undefined))
  }
})

describe('of several entries for one key', () => {
  test('the last counts', () => assert.equal(object('{"mtu":1,"MTU":2,"mtu":3}').integer('mtu'), 3))
  test('the last counts in whatever case', () => assert.equal(object('{"mtu":1,"MTU":2}').integer('mtu'), 2))
  test('a null says nothing', () => assert.equal(object('{"mtu":1,"mtu":null}').integer('mtu'), 1))
  test('one of the wrong type is an error', () =>
    assert.throws(() => object('{"mtu":"1","mtu":2}').integer('mtu'), { kind: 'decoding' }))
  test('objects are laid over one another', () => {
    const ipam = object('{"ipam":{"type":"a","x":1},"ipam":{"type":"b"}}').object('ipam')!
    assert.equal(ipam.string('type'), 'b')
    assert.equal(ipam.integer('x'), 1)
  })
  test('the last list counts alone', () => {
    assert.deepEqual(object('{"ips":["a","b"],"ips":["c"]}').strings('ips'), ['c'])
  })
})

test('what is absent or null is undefined to every getter', () => {
  for (const json of [object('{}'), object('{"a":null}')]) {
    assert.equal(json.has('a'), false)
    for (const get of ['value', 'string', 'boolean', 'integer', 'object', 'array', 'strings', 'objects'] as const) {
      assert.equal(json[get]('a'), undefined)
    }
  }
})

test('a null in a list is empty, as in Go', () => {
  assert.deepEqual(object('{"a":["x",null]}').strings('a'), ['x', ''])
  assert.equal(object('{"a":[null]}').objects('a')![0]!.has('x'), false)
})

describe('an integer is refused when it is written as', () => {
  for (const literal of [
    '1500.0',
    '1.5e3',
    '1e2',
    '"1500"',
    'true',
    '[1]',
    '9223372036854775808',
    '-9223372036854775809',
  ]) {
    test(literal, () =>
      assert.throws(() => object(`{"mtu":${literal}}`).integer('mtu'), { name: 'JsonError', kind: 'decoding' }),
    )
  }
})

describe('an integer may be', () => {
  for (const [literal, value] of [
    ['0', 0],
    ['-0', 0],
    ['-5', -5],
    ['9223372036854775807', 2 ** 63],
  ] as const) {
    test(literal, () => assert.ok(object(`{"mtu":${literal}}`).integer('mtu') === value))
  }
})

describe('a wrong type is told with its place and what was found:', () => {
  const json = object(
    '{"s":5,"b":"yes","i":"1500","o":[],"a":{},"ipam":{"ranges":[[{"subnet":5}]],"ips":[1],"routes":["x"]},"f":1.5}',
  )
  const rows: [() => unknown, string][] = [
    [() => json.string('s'), 'Cannot use "s": it is the number 5, give a string'],
    [() => json.boolean('b'), 'Cannot use "b": it is the string "yes", give true or false'],
    [() => json.integer('i'), 'Cannot use "i": it is the string "1500", give an integer'],
    [() => json.integer('f'), 'Cannot use "f": it is the number 1.5, give an integer'],
    [() => json.object('o'), 'Cannot use "o": it is an array, give an object'],
    [() => json.array('a'), 'Cannot use "a": it is an object, give an array'],
    [() => json.object('ipam')!.strings('ips'), 'Cannot use "ipam.ips[0]": it is the number 1, give a string'],
    [() => json.object('ipam')!.objects('routes'), 'Cannot use "ipam.routes[0]": it is the string "x", give an object'],
    [
      () =>
        asObject(asArray(json.object('ipam')!.array('ranges')![0]!, 'ipam.ranges[0]')[0]!, 'ipam.ranges[0][0]').string(
          'subnet',
        ),
      'Cannot use "ipam.ranges[0][0].subnet": it is the number 5, give a string',
    ],
  ]
  for (const [read, message] of rows) test(message, () => assert.throws(read, { kind: 'decoding', message }))
})

test('an integer out of its range is an invalid configuration that names the range', () => {
  const json = object('{"vlan":-1}')
  const vlan = { kind: 'value', message: 'Cannot use "vlan": it is -1, give an integer from 0 to 4094' }
  assert.throws(() => json.integer('vlan', { min: 0, max: 4094 }), vlan)
  assert.throws(() => json.integer('vlan', { min: 0 }), { message: /give an integer of at least 0$/ })
})

test('formatJson() indents by four spaces, leaves out what is undefined and escapes nothing for HTML', () => {
  assert.equal(
    formatJson({ a: 1, b: undefined, c: [], d: {}, e: ['<&>', { f: true }] }),
    '{\n    "a": 1,\n    "c": [],\n    "d": {},\n    "e": [\n        "<&>",\n        {\n            "f": true\n        }\n    ]\n}',
  )
})

test('formatCompactJson() writes one line', () => {
  assert.equal(formatCompactJson({ a: [1, 'ä"\n'], b: undefined }), '{"a":[1,"ä\\"\\n"]}')
})

describe('formatJsonValue() writes', () => {
  const rows = [
    [
      'keys in order, and of several entries for one the last',
      '{"b":1,"a":{"d":[ ],"c":{}},"b":2}',
      '{"a":{"c":{},"d":[]},"b":2}',
    ],
    ['keys in any other case as other keys', '{"b":1,"B":2}', '{"B":2,"b":1}'],
    ['numbers as they came', '[1.50, -0, 1E400, 12345678901234567890]', '[1.50,-0,1E400,12345678901234567890]'],
    ['lists in lists, and null', '[[],[[null]],[true,"a"]]', '[[],[[null]],[true,"a"]]'],
    ['escapes where they must be', String.raw`{"\u0041\"":"\u003c\n\/"}`, String.raw`{"A\"":"<\n/"}`],
    ['what every object has as any other key', '{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
  ] as const
  for (const [what, text, written] of rows) {
    test(what, () => assert.equal(formatJsonValue(parseJson(text)), written))
  }

  test('as deep as the parser reads', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const text = `${open.repeat(9_999)}[]${close.repeat(9_999)}`
      assert.equal(formatJsonValue(parseJson(text)), text)
    }
  })

  test('what is read as the same value again', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = formatJsonValue(parseJson(JSON.stringify(value)))
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
        assert.equal(formatJsonValue(parseJson(text)), text)
      }),
    )
  })
})

test('an object keeps its entries and numbers as they were written', () => {
  assert.deepEqual(object('{"a":1.50,"A":1e400,"a":[],"__proto__":{}}').entries, [
    ['a', new JsonNumber('1.50')],
    ['A', new JsonNumber('1e400')],
    ['a', []],
    ['__proto__', new JsonObject()],
  ])
})

/** The value as JSON.parse answers it: without duplicates, the last one standing where the first stood. */
function plain(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.literal)
  if (value instanceof JsonObject) {
    const members = {}
    for (const [key, member] of value.entries) {
      Object.defineProperty(members, key, {
        value: plain(member),
        enumerable: true,
        configurable: true,
        writable: true,
      })
    }
    return members
  }
  return Array.isArray(value) ? value.map(plain) : value
}
