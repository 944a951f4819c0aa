import assert from 'node:assert/strict'
import { test } from 'vitest'
import { namesCase, parseLeftOut } from '../../scripts/left-out.ts'

const roadmap = `# Roadmap

| thing | when |
|-------|------|
| BGP   | later |

## Tests left out

| suite | case | reason |
|-------|------|--------|
| root | \`tun carries packets\` | the machine has no /dev/net/tun |
| uml | netem * | no module |

## Later

| a | b | c |
|---|---|---|
| d | e | f |
`

test('parseLeftOut() reads the table below its heading, and no other', () => {
  assert.deepEqual(parseLeftOut(roadmap), [
    { suite: 'root', title: 'tun carries packets', reason: 'the machine has no /dev/net/tun' },
    { suite: 'uml', title: 'netem *', reason: 'no module' },
  ])
})

test('parseLeftOut() finds nothing where there is no such heading', () => {
  assert.deepEqual(parseLeftOut('# Roadmap\n\n| a | b | c |\n'), [])
})

test('parseLeftOut() refuses a row without a reason', () => {
  const bare = roadmap.replace('the machine has no /dev/net/tun', '')
  assert.throws(() => parseLeftOut(bare), { name: 'RangeError', message: /say suite, case, reason/ })
})

// title in the table, case, whether the table means it
for (const [title, name, meant] of [
  ['netem delays', 'netem delays', true],
  ['netem delays', 'netem delays twice', false],
  ['netem *', 'netem delays twice', true],
  ['netem *', 'a netem delays', false],
] as const) {
  test(`"${title}" ${meant ? 'names' : 'does not name'} "${name}"`, () => {
    const row = { suite: 'uml', title, reason: 'no module' }
    assert.equal(namesCase(row, 'uml', name), meant)
    assert.equal(namesCase(row, 'root', name), false)
  })
}
