/** nft -j is the witness: what we list as JSON is what it lists, of the real kernel and of the model. nftables 1.0.6. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { beforeEach, describe, test } from 'vitest'
import { runWords } from '../../src/command/run.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { createModel } from '../../src/model/create.ts'
import { rules, SETS } from './nft-rules.ts'

const kernel = liveLinux()

const nft = (words: readonly string[], on: LiveKernel, stdin = '') =>
  runWords(['nft', ...words], { kernel: on, now: () => 0, sleep: async () => {}, readStdin: () => stdin })
const real = (words: readonly string[], input = '') => {
  const { status, stdout, stderr } = spawnSync('nft', words, { encoding: 'utf8', input })
  return { status, stdout: stdout.replace(/, "expires": \d+/g, ''), stderr }
}

/** Each begins to count its tables anew. */
const tableHandles = (text: string) =>
  text.replace(/("table": \{"family": "\w+", "name": "\w+", "handle": )\d+/g, '$1 N')

const TABLE = `
table inet t {
  set s {
    type ipv4_addr
    flags interval
    comment "hello"
    elements = { 10.0.0.0/8, 11.0.0.1-11.0.0.5, 12.0.0.1 comment "x" }
  }
  set z {
    type ipv4_addr . inet_service
    size 100
    timeout 5m
    elements = { 1.2.3.4 . 80 timeout 1h }
  }
  set e {
    type ifname
  }
  map m {
    type inet_service : verdict
    elements = { 80 : jump x, 443 : accept }
  }
  map d {
    type ipv4_addr : ipv4_addr
    elements = { 1.1.1.1 : 2.2.2.2 }
  }
  chain x {
    comment "c"
  }
  chain f {
    type filter hook input priority filter; policy drop;
    ip saddr @s counter packets 1 bytes 2 jump x comment "a rule"
    tcp dport vmap @m
    ct state vmap { established : accept, invalid : goto x }
  }
  chain n {
    type nat hook prerouting priority dstnat + 5
    dnat ip to ip saddr map @d
    tcp dport 80 dnat ip to 10.0.0.1-10.0.0.5:1000-2000 random,persistent
  }
}
table netdev d {
  chain i {
    type filter hook ingress device lo priority 0
  }
}
`

const LISTS: readonly string[][] = [
  ['list', 'ruleset'],
  ['list', 'tables'],
  ['list', 'chains'],
  ['list', 'sets'],
  ['list', 'maps'],
  ['list', 'table', 'inet', 't'],
  ['list', 'table', 'netdev', 'd'],
  ['list', 'chain', 'inet', 't', 'f'],
  ['list', 'set', 'inet', 't', 'z'],
  ['list', 'map', 'inet', 't', 'm'],
  ['list', 'ruleset', 'ip6'],
  ['-s', 'list', 'ruleset'],
  ['-t', 'list', 'ruleset'],
  ['-n', 'list', 'ruleset'],
  ['list', 'chain', 'inet', 't', 'nobody'],
]

beforeEach(() => {
  execFileSync('nft', ['flush', 'ruleset'])
})

describe('a whole ruleset as JSON', () => {
  for (const words of LISTS) {
    test(`nft -j ${words.join(' ')}`, async () => {
      const model = createModel()
      assert.equal(real(['-f', '-'], TABLE).status, 0)
      const { status, stdout } = real(['-j', ...words])
      const ours = await nft(['-j', ...words], kernel)
      assert.deepEqual([ours.status, ours.stdout], [status, stdout])
      assert.deepEqual(await nft(['-f', '-'], model, TABLE), { status: 0, stdout: '', stderr: '' })
      const modelled = await nft(['-j', ...words], model)
      assert.deepEqual([modelled.status, tableHandles(modelled.stdout)], [status, tableHandles(stdout)])
    })
  }
})

describe('a rule as JSON', () => {
  for (const [family, rule] of rules) {
    test(`${family}: ${rule}`, async () => {
      const table = `table ${family} t {\n${SETS}\nchain x { }\nchain c { type filter hook forward priority 0\n }\n}`
      assert.equal(real([table]).status, 0)
      assert.equal(real([`add rule ${family} t c ${rule}`]).status, 0)
      for (const words of [['-j'], ['-j', '-n']]) {
        const theirs = real([...words, 'list', 'ruleset']).stdout
        assert.equal((await nft([...words, 'list', 'ruleset'], kernel)).stdout, theirs)
      }
    })
  }
})

test("iptables' extensions are told by their names", async () => {
  execFileSync('iptables', [
    '-A',
    'INPUT',
    '-p',
    'tcp',
    '-m',
    'conntrack',
    '--ctstate',
    'NEW',
    '-m',
    'comment',
    '--comment',
    'c',
    '-j',
    'LOG',
  ])
  execFileSync('iptables', [
    '-t',
    'nat',
    '-A',
    'PREROUTING',
    '-m',
    'addrtype',
    '--dst-type',
    'LOCAL',
    '-j',
    'DNAT',
    '--to-destination',
    '10.0.0.1',
  ])
  assert.equal((await nft(['-j', 'list', 'ruleset'], kernel)).stdout, real(['-j', 'list', 'ruleset']).stdout)
})

describe('JSON is read again', () => {
  const without = (text: string) => text.replace(/"handle": \d+/g, '"handle": N')

  for (const [family, rule] of rules) {
    test(`${family}: ${rule}`, async () => {
      const table = `table ${family} t {\n${SETS}\nchain x { }\nchain c { type filter hook forward priority 0\n }\n}`
      assert.equal(real([table]).status, 0)
      assert.equal(real([`add rule ${family} t c ${rule}`]).status, 0)
      const theirs = real(['-j', 'list', 'ruleset']).stdout
      execFileSync('nft', ['flush', 'ruleset'])
      assert.deepEqual(await nft(['-j', '-f', '-'], kernel, theirs), { status: 0, stdout: '', stderr: '' })
      assert.equal(without(real(['-j', 'list', 'ruleset']).stdout), without(theirs))
    })
  }

  test('a whole ruleset, into the model', async () => {
    const model = createModel()
    assert.equal(real(['-f', '-'], TABLE.replace(/table netdev[\s\S]*/, '')).status, 0)
    const theirs = real(['-j', 'list', 'ruleset']).stdout
    assert.deepEqual(await nft(['-j', '-f', '-'], model, theirs), { status: 0, stdout: '', stderr: '' })
    assert.equal(without((await nft(['-j', 'list', 'ruleset'], model)).stdout), without(theirs))
  })
})
