import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseSelector } from '../../src/pool/selector.ts'

const labels = { rack: 'r1', zone: 'a', 'kubernetes.io/hostname': 'edge-1' }

for (const [selector, selected] of [
  ['', true],
  ['all()', true],
  ["rack == 'r1'", true],
  ['rack == "r2"', false],
  ["rack != 'r2'", true],
  ["gpu != 'yes'", true],
  ['has(rack)', true],
  ['has(gpu)', false],
  ['!has(gpu)', true],
  ["zone in {'a', 'b'}", true],
  ["zone not in {'a', 'b'}", false],
  ["gpu not in {'yes'}", true],
  ["kubernetes.io/hostname starts with 'edge'", true],
  ["kubernetes.io/hostname ends with '-1'", true],
  ["kubernetes.io/hostname contains 'ge-'", true],
  ["rack == 'r2' || zone == 'a'", true],
  ["rack == 'r1' && zone == 'b'", false],
  ["rack == 'r2' && zone == 'a' || has(zone)", true],
  ["rack == 'r2' && (zone == 'a' || has(zone))", false],
  ["!(rack == 'r1' && zone == 'a')", false],
  ["toString == 'x'", false],
  ['has(constructor)', false],
] as const) {
  test(`${selector || 'nothing'} ${selected ? 'selects' : 'does not select'} the node`, () =>
    assert.equal(parseSelector(selector)(labels), selected))
}

for (const selector of [
  'rack',
  "rack = 'r1'",
  'rack == r1',
  'has(',
  'all() all()',
  "'r1' == rack",
  "zone in {'a'",
  '&& all()',
  'a # b',
  "rack like 'x'",
]) {
  test(`"${selector}" is refused`, () =>
    assert.throws(() => parseSelector(selector), { name: 'PoolError', message: /^Cannot use selector/ }))
}
