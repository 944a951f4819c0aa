/** What golden.test.ts has no pair for. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { parseNetworkConfig } from '../../../src/cni/config.ts'
import { CniError } from '../../../src/cni/errors.ts'
import { JsonError } from '../../../src/json/errors.ts'
import { asObject } from '../../../src/json/json.ts'
import { parseJson } from '../../../src/json/parser.ts'
import { formatJsonValue } from '../../../src/json/writer.ts'
import { parseFlannelConfig } from '../../../src/plugins/flannel/config.ts'
import { delegateConfiguration } from '../../../src/plugins/flannel/delegate-configuration.ts'
import type { SubnetEnv } from '../../../src/plugins/flannel/subnet-env.ts'

const env: SubnetEnv = { networks: ['10.1.0.0/16'], subnets: ['10.1.17.0/24'], mtu: 1450, ipMasq: true }

function textFor(configuration: string): string {
  const json = asObject(parseJson(configuration), '')
  return formatJsonValue(delegateConfiguration(parseFlannelConfig(parseNetworkConfig(json, 'ignored when wrong')), env))
}

const delegateOf = (members: object) =>
  JSON.parse(textFor(JSON.stringify({ name: 'pods', type: 'flannel', ...members })))

test('its text is in one line, with sorted keys, as Go writes a map', () => {
  assert.equal(
    textFor(
      '{"type":"flannel","name":"pods","delegate":{"z":{"b":[1,{"d":0,"c":null}],"a":true}},"cniVersion":"1.0.0"}',
    ),
    '{"cniVersion":"1.0.0","ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.1.17.0/24"}]],"routes":[{"dst":"10.1.0.0/16"}],' +
      '"type":"host-local"},"isGateway":true,"mtu":1450,"name":"pods","type":"bridge","z":{"a":true,"b":[1,{"c":null,"d":0}]}}',
  )
})

describe('as in flannel', () => {
  test("the network's own keys may be written in any case, those of the delegate may not", () => {
    const given = { NAME: 'x', Delegate: { Type: 'ipvlan', MTU: 1 }, IPAM: { Type: 'y' } }
    const { type, Type, mtu, MTU, ipam } = delegateOf({ ...given, name: 'pods' })
    assert.deepEqual([type, Type, mtu, MTU], ['bridge', 'ipvlan', 1450, 1])
    assert.deepEqual([ipam.type, ipam.Type], ['host-local', 'y'])
  })

  test('a null in the delegate is a value, and so is an empty runtimeConfig', () => {
    const { mtu, ipMasq, runtimeConfig } = delegateOf({ delegate: { mtu: null, ipMasq: null }, runtimeConfig: {} })
    assert.deepEqual([mtu, ipMasq, runtimeConfig], [null, null, {}])
    assert.throws(() => delegateOf({ delegate: { type: null } }), /must have \(string\) 'type' field/)
    assert.throws(() => delegateOf({ delegate: { name: null } }), /must not have 'name' field/)
    assert.throws(() => delegateOf({ delegate: { ipam: null } }), /must not have 'ipam' field/)
  })

  test('a version of the delegate counts where the network has none', () => {
    assert.equal(delegateOf({ delegate: { cniVersion: '0.3.1' } }).cniVersion, '0.3.1')
    assert.equal(delegateOf({ delegate: { cniVersion: '0.3.1' }, cniVersion: '1.0.0' }).cniVersion, '1.0.0')
  })

  test('null for the delegate, ipam, routes and runtimeConfig is as good as nothing', () => {
    const { ipam, runtimeConfig } = delegateOf({ delegate: null, ipam: { routes: null }, runtimeConfig: null })
    assert.deepEqual([ipam.routes, runtimeConfig], [[{ dst: '10.1.0.0/16' }], undefined])
    assert.deepEqual(delegateOf({ ipam: null }).ipam.type, 'host-local')
  })
})

test('numbers keep their digits', () => {
  const text = textFor('{"name":"pods","delegate":{"a":12345678901234567890,"b":1.50,"c":-0,"d":1E2}}')
  assert.match(text, /"a":12345678901234567890,"b":1\.50,"c":-0,"d":1E2/)
})

describe('routes are refused', () => {
  const start = /^failed to assemble Delegate IPAM: failed to read IPAM routes: failed to parse ipam\.routes: /
  for (const [what, routes, reason] of [
    ['without a destination', [{}], /invalid CIDR address: $/],
    ['with an address for one', [{ dst: '10.0.0.1' }], /invalid CIDR address: 10\.0\.0\.1$/],
    ['with a gateway that is none', [{ dst: '10.0.0.0/8', gw: 'x' }], /"x" is no IP address$/],
    ['that are no list', 'x', /"ipam\.routes": it is the string "x", give an array$/],
    ['that are no objects', ['x'], /"ipam\.routes\[0\]": it is the string "x", give an object$/],
  ] as const) {
    test(what, () => {
      const refused = (error: CniError) => error.code === 7 && start.test(error.message) && reason.test(error.message)
      assert.throws(() => delegateOf({ ipam: { routes } }), refused)
    })
  }
})

test('whatever the configuration says, the delegate is completed or the configuration refused', () => {
  const key = fc.constantFrom(
    'type',
    'name',
    'ipam',
    'mtu',
    'ipMasq',
    'isGateway',
    'routes',
    'ranges',
    'dst',
    'x',
    '__proto__',
  )
  const { any } = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('any'), { maxLength: 3 }),
      tie('object'),
    ),
    object: fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  }))
  const object = fc.dictionary(key, any, { maxKeys: 5 })
  const configuration = fc.record(
    {
      delegate: fc.oneof(object, any),
      ipam: fc.oneof(
        object,
        fc.record({ routes: fc.array(fc.record({ dst: fc.constantFrom('10.0.0.0/8', '::/0') })) }),
        any,
      ),
      runtimeConfig: fc.oneof(object, any),
    },
    { requiredKeys: [] },
  )
  let completed = 0
  fc.assert(
    fc.property(configuration, (members) => {
      let delegate: Record<string, unknown>
      try {
        delegate = delegateOf(members)
      } catch (error) {
        assert.ok(error instanceof CniError || error instanceof JsonError, `${error}`)
        return
      }
      completed++
      assert.equal(delegate.name, 'pods')
      assert.equal(typeof delegate.type, 'string')
      assert.deepEqual((delegate.ipam as { ranges: unknown }).ranges, [[{ subnet: '10.1.17.0/24' }]])
      for (const [key, value] of Object.entries((members.delegate ?? {}) as object)) {
        if (key !== 'runtimeConfig') assert.equal(JSON.stringify(sorted(delegate[key])), JSON.stringify(sorted(value)))
      }
    }),
    { numRuns: 2000 },
  )
  assert.ok(completed > 200, `only ${completed} were completed`)
})

/** The value with the keys of its objects in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([key, each]) => [key, sorted(each)])
}
