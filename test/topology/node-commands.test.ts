/** `ipset`, `iptables` and `nft` of a node in a topology file, made in the model. test/lab asks the real kernel the same. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { commandsOf } from '../../src/lab/describe-node.ts'
import { buildModelLab } from '../../src/lab/model-lab.ts'
import { parseTopology } from '../../src/lab/topology-file.ts'
import { lab } from '../../src/testing/lab.ts'
import { REFUSED, SETS_AND_RULES } from './node-commands.ts'

const build = (text: string) => buildModelLab({ topology: parseTopology(text, 'lab.ovl.yml').topology })

test('sets and rules of a file are there, and packets meet them', async () => {
  const { run, kernelOf } = await build(SETS_AND_RULES)
  const sets = await run({ place: 'server', line: 'ipset save' })
  assert.match(sets.stdout, /^add trusted 10\.0\.0\.0\/30 comment "ours; \$HOME & \*"$/m)
  const { stdout } = await run({ place: 'server', line: 'nft list table inet guard' })
  assert.match(stdout, /tcp dport != @ports counter packets 0 bytes 0 drop comment "closed; \$HOME"$/m)

  const ping = async () => (await kernelOf('client').ping('10.0.0.3')).outcome
  assert.equal(await ping(), 'reply', 'the client is in the set')
  await run({ place: 'client', line: 'ip address replace 10.0.0.2/24 dev eth0 && ip address del 10.0.0.1/24 dev eth0' })
  assert.notEqual(await ping(), 'reply', 'by another address it is not')
})

test('sets are made before the rules that ask for them, rules before commands', () => {
  const description = { exec: ['ip link'], nft: 'list ruleset', iptables: ['-L'], ipset: ['list', 'save\n'] }
  assert.deepEqual(
    commandsOf({ description }).map(({ line, stdin }) => [line, stdin]),
    [
      ['ipset restore', 'list\n'],
      ['ipset restore', 'save\n'],
      ['iptables -L', undefined],
      ['nft -f -', 'list ruleset\n'],
      ['ip link', undefined],
    ],
  )
})

for (const [key, says] of REFUSED) {
  test(`${key} builds nothing, and the line is named`, async () => {
    await assert.rejects(build(`name: x\ntopology: { nodes: { n1: { ${key} } } }\n`), (error: Error) =>
      error.message.startsWith(says),
    )
  })
}

test('what a command reads is given with it, and the first command takes it all', async () => {
  const net = await lab(parseTopology(SETS_AND_RULES, 'lab.ovl.yml').topology)
  const node = net.node('client')
  assert.equal((await node.exec('nft -f -', 'table ip given {\n}\n')).status, 0)
  assert.equal((await node.exec('nft list tables')).stdout, 'table ip given\n')
  assert.equal((await node.exec('iptables-restore', '*filter\n:FORWARD DROP\nCOMMIT\n')).status, 0)
  assert.match((await node.exec('iptables -S FORWARD')).stdout, /^-P FORWARD DROP$/m)
  const both = await node.exec('ipset restore; ipset restore', 'create once hash:ip\n')
  assert.deepEqual([both.status, both.stderr], [0, ''], 'a second would say that the set is there')
})
