/** The rules of several networks in the same chains: of one they are as ever, of two the same whoever puts them together. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseConfig } from '../../../src/overlay/config.ts'
import type { Lease } from '../../../src/overlay/lease.ts'
import { trafficRules } from '../../../src/overlay/rules/rules.ts'
import { type NetworkRules, sharedRules } from '../../../src/overlay/rules/shared.ts'

const options = { masquerade: true, fullyRandom: true, forward: true }

function rules(n: number, nftables: boolean): NetworkRules {
  const config = parseConfig(JSON.stringify({ Network: `10.${n}.0.0/16`, EnableNFTables: nftables }))
  const lease: Lease = { backend: '', ipv4: { subnet: `10.${n}.1.0/24`, publicIp: '192.168.77.1' } }
  return { config, lease, options }
}

for (const nftables of [false, true]) {
  const kind = nftables ? 'nftables' : 'iptables'
  const [one, two] = [rules(5, nftables), rules(6, nftables)]

  test(`${kind}: those of one network are that network’s`, () => {
    const expected = trafficRules({ ...one.config, backend: { type: 'alloc' } }, one.lease, options)
    assert.deepEqual(sharedRules([one]), expected)
  })

  test(`${kind}: those of two are both in each chain, whichever daemon asks`, () => {
    const both = sharedRules([one, two])
    assert.deepEqual(sharedRules([two, one]), both)
    const contents = (state: ReturnType<typeof sharedRules>) =>
      [...(state.nftGuests ?? []), ...(state.nftChains ?? [])].map(({ content }) => content!.length)
    const single = contents(sharedRules([one]))
    assert.deepEqual(
      contents(both),
      single.map((count) => 2 * count),
    )
    assert.equal(both.nftTables?.length, sharedRules([one]).nftTables?.length)
  })
}

test('a network with iptables beside one with nftables: each has its own', () => {
  const mixed = sharedRules([rules(5, true), rules(6, false)])
  assert.equal(mixed.nftGuests?.length, 2)
  assert.equal(mixed.nftChains?.length, 2)
})
