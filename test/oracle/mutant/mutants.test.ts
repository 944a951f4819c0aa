import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { test } from 'vitest'
import { type Mutant, mutants, requireMutant } from '../../../src/oracle/mutant/mutants.ts'
import { mutate, readModelFile } from '../../../src/oracle/mutant/planting.ts'

const plant = join(import.meta.dirname, '../../../src/oracle/mutant/plant.ts')
const forward = join(import.meta.dirname, '../../../src/model/ipv4/forward.ts')

test.each(mutants)('$name: what it replaces stands in the model once, and what it puts there can be read', (mutant) => {
  assert.ok(mutant.edits.length > 0)
  for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
    const source = readModelFile(file)
    const mutated = mutate(source, file, mutant)
    assert.notEqual(mutated, source)
    stripTypeScriptTypes(mutated)
  }
})

test('there are at least ten, no two of one name', () => {
  assert.ok(mutants.length >= 10)
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
})

test('a text that the model does not have, or has twice, is not replaced', () => {
  const odd: Mutant = { name: 'odd', what: '', edits: [{ file: 'a.ts', from: 'one', to: 'two' }] }
  assert.throws(() => mutate('two', 'a.ts', odd), /Cannot plant "odd": a.ts has 0 times "one"/)
  assert.throws(() => mutate('one one', 'a.ts', odd), /a.ts has 2 times "one"/)
  assert.equal(mutate('one', 'b.ts', odd), 'one')
})

test('an unknown name is answered with those that there are', () => {
  assert.throws(() => requireMutant('sunspots'), /Cannot plant "sunspots": there are pmtu-off-by-4, /)
})

/** The source of the model's `forward` in a process of its own. */
function forwardOf(mutant?: string): string {
  const script = `import { forward } from ${JSON.stringify(forward)}; console.log(forward.toString())`
  const { OVERLAB_MUTANT: _, ...env } = process.env
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', plant, '--input-type=module', '--eval', script], {
    encoding: 'utf8',
    env: { ...env, ...(mutant && { OVERLAB_MUTANT: mutant }) },
  })
  return stdout || stderr
}

test('OVERLAB_MUTANT plants it into the model of a process', () => {
  const asksBefore = (source: string) => source.indexOf('runHook') < source.indexOf('ttl <= 1')
  assert.equal(asksBefore(forwardOf()), false)
  assert.equal(asksBefore(forwardOf('forward-before-ttl')), true)
  assert.match(forwardOf('sunspots'), /Cannot plant "sunspots"/)
})
