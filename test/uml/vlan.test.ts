/** What needs bridge VLAN filtering, in User-Mode Linux: the machine that develops overlab has a kernel without it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { referencePlugins } from '../support/peers.ts'
import { runInGuest } from './guest.ts'
import { vlanCases } from './vlan-cases.ts'

const checkout = join(import.meta.dirname, '../..')
const cnidiff = join(checkout, 'test/conformance/cnidiff')
const LIMIT = 10 * 60_000

test('the guest says how its command ended, and what it wrote', () => {
  assert.deepEqual(runInGuest('uname -r; exit 3', { limit: LIMIT }), { status: 3, output: '6.1.176\n' })
})

for (const name of vlanCases) {
  test(`cnidiff ${name}: our executables behave as the reference, in all modes`, () => {
    const cases = join(checkout, 'test/conformance/cases/open')
    const { status, output } = runInGuest(
      `python3 '${cnidiff}' '${referencePlugins()}' '${checkout}/cni-bin' --cases '${cases}' --only ${name} --mode all --max-skip 0`,
      { limit: LIMIT },
    )
    assert.match(output, /^[1-9]\d* passed, 0 failed \(/m)
    assert.equal(status, 0, output)
  })
}
