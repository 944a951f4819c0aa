/**
 * nft is the witness: what we read it reads alike, and what it has made we show in its words. nftables 1.0.6.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { beforeEach, test } from 'vitest'
import { runWords } from '../../src/command/run.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { rules, SETS } from './nft-rules.ts'

const kernel = liveLinux()
const nft = async (text: string) =>
  runWords(['nft', ...(text.startsWith('-n ') ? ['-n', text.slice(3)] : [text])], {
    kernel,
    now: () => 0,
    sleep: async () => {},
  })
const real = (text: string) => spawnSync('nft', [text], { encoding: 'utf8' })

beforeEach(() => {
  execFileSync('nft', ['flush', 'ruleset'])
})

for (const [family, rule] of rules) {
  test(`${family}: ${rule} is read and shown as nft does`, async () => {
    const table = `table ${family} t {\n${SETS}\nchain x { }\nchain c { type filter hook forward priority 0\n }\n}`
    assert.equal(real(table).status, 0)
    assert.equal(real(`add rule ${family} t c ${rule}`).status, 0)
    const theirs = real('list ruleset').stdout
    const bytes = debugged(family)
    assert.equal((await nft('list ruleset')).stdout, theirs)
    assert.equal(
      (await nft('-n list ruleset')).stdout,
      execFileSync('nft', ['-n', 'list', 'ruleset'], { encoding: 'utf8' }),
    )
    execFileSync('nft', ['flush', 'ruleset'])
    assert.deepEqual(await nft(table), { status: 0, stdout: '', stderr: '' })
    assert.deepEqual(await nft(`add rule ${family} t c ${rule}`), { status: 0, stdout: '', stderr: '' })
    assert.equal(real('list ruleset').stdout, theirs)
    assert.deepEqual(debugged(family), bytes)
  })
}

/** The rule's expressions as the kernel has them. */
function debugged(family: string): string[] {
  const text = execFileSync('nft', ['--debug=netlink', 'list', 'chain', family, 't', 'c'], { encoding: 'utf8' })
  return text
    .split('\n')
    .filter((line) => line.startsWith('  [ '))
    .map((line) => line.replace(/__(?:set|map)\d+/, ''))
}
