/** Which rules packets meet, as the real kernel's trace tells it and as the model's journeys do. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { linuxMachine } from '../../../src/cli/machine.ts'
import { modelMachine } from '../../../src/lab/model-machine.ts'
import { differenceOf } from '../../../src/oracle/compare.ts'
import { runScenario } from '../../../src/oracle/run.ts'
import type { Scenario } from '../../../src/oracle/scenario.ts'

const inRouter = (run: string) => ({ ns: 'r', run })

/** An echo request from a to b, and a datagram that is refused. */
const scenario: Scenario = {
  id: 'rules',
  topology: {
    name: 'rules',
    topology: {
      nodes: {
        a: { routes: [{ to: 'default', via: '10.0.1.1' }] },
        b: { routes: [{ to: 'default', via: '10.0.2.1' }] },
        r: { sysctls: { 'net.ipv4.ip_forward': 1 } },
      },
      links: [
        {
          endpoints: [
            { node: 'a', interface: 'eth0', mac: '02:00:00:00:01:02' },
            { node: 'r', interface: 'ra', mac: '02:00:00:00:01:01' },
          ],
          ipv4: ['10.0.1.2/24', '10.0.1.1/24'],
        },
        {
          endpoints: [
            { node: 'b', interface: 'eth0', mac: '02:00:00:00:02:02' },
            { node: 'r', interface: 'rb', mac: '02:00:00:00:02:01' },
          ],
          ipv4: ['10.0.2.2/24', '10.0.2.1/24'],
        },
      ],
    },
  },
  warm: [],
  steps: [
    inRouter('iptables -t mangle -A PREROUTING -p icmp -j MARK --set-mark 7'),
    inRouter('iptables -A FORWARD -p udp -j REJECT'),
    inRouter('nft add table ip t'),
    inRouter('nft add chain ip t hosts'),
    inRouter('nft add rule ip t hosts ip daddr 10.0.2.2 return'),
    inRouter(`nft 'add chain ip t forward { type filter hook forward priority 5 ; policy drop ; }'`),
    inRouter('nft add rule ip t forward ip saddr 10.0.9.0/24 drop'),
    inRouter('nft add rule ip t forward jump hosts'),
    inRouter('nft add rule ip t forward meta l4proto icmp accept'),
    { ns: 'a', dev: 'eth0', hex: `0200000001010200000001020800${icmp()}` },
    { ns: 'a', dev: 'eth0', hex: `0200000001010200000001020800${udp()}` },
  ],
  watch: ['a:eth0', 'b:eth0'],
  show: ['10.'],
}

function icmp(): string {
  return '4500001c12340000400151aa0a0001020a0002020800f7fd00010001'
}

function udp(): string {
  return '4500001c123400004011519a0a0001020a00020204d204d300080000'
}

test('both kernels tell the same rules, hook by hook, with handles and verdicts', async () => {
  const options = { lenient: true, rules: true } as const
  const [expected, found] = [
    await runScenario(scenario, linuxMachine([]), options),
    await runScenario(scenario, modelMachine(), options),
  ]
  assert.deepEqual(expected.refusals, [])
  const met = (expected.rules ?? []).map(({ at, rules }) => `${at}: ${rules}`)
  assert.ok(
    met.includes('r: ip t forward handle 5 jump hosts, ip t hosts handle 2 return, ip t forward handle 6 accept'),
    met.join('\n'),
  )
  assert.ok(
    met.some((each) => /ip filter FORWARD handle \d+ drop$/.test(each)),
    met.join('\n'),
  )
  assert.equal(differenceOf(expected, found)?.what, undefined)
  const [first, ...others] = found.rules!
  assert.ok(first)
  assert.match(
    differenceOf(expected, { ...found, rules: others })!.what,
    /^r, rules behind step 9: none besides; expected ip mangle PREROUTING handle/,
  )
  assert.match(differenceOf({ ...expected, rules: expected.rules!.slice(1) }, found)!.what, /; expected none besides$/)
})
