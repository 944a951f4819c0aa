import assert from 'node:assert/strict'
import { test } from 'vitest'
import { didYouMean, distance } from '../../src/json/near.ts'

const distances = [
  { a: 'n1', b: 'n1', is: 0 },
  { a: 'n1', b: 'n2', is: 1 },
  { a: 'web-0', b: 'wbe-0', is: 1 },
  { a: 'web-0', b: 'we-0', is: 1 },
  { a: 'kitten', b: 'sitting', is: 3 },
  { a: '', b: 'abc', is: 3 },
]
for (const { a, b, is } of distances) {
  test(`"${a}" and "${b}" are ${is} apart, from either side`, () => {
    assert.equal(distance(a, b), is)
    assert.equal(distance(b, a), is)
  })
}

test('the nearest name is offered, and all names are told', () => {
  assert.equal(didYouMean('wbe-0', ['n1', 'web-0', 'web-1']), '; did you mean "web-0"? (n1, web-0, web-1)')
})

test('nothing is offered that is far off', () => {
  assert.equal(didYouMean('database', ['n1', 'web-0']), '; (n1, web-0)')
  assert.equal(didYouMean('x', []), '')
})
