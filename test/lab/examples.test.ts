/** Every program in examples/ runs, and says what its essay promises; every topology there is one that test/trace asks about. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'vitest'
import { losses } from '../trace/losses.ts'
import { output } from './traces.ts'

const examples = join(import.meta.dirname, '../../examples')

const promises: Readonly<Record<string, RegExp>> = {
  'two-containers.ts': /^10\.99\.0\.2 pings 10\.99\.0\.3: \{\s+outcome: 'reply'/,
}

test('every example has its promise here', () => {
  const files = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isFile())
  assert.deepEqual(
    files.map(({ name }) => name),
    Object.keys(promises),
  )
})

test('every topology has a loss that it shows', () => {
  const shown = new Set(losses.map(({ file }) => basename(file)))
  assert.deepEqual(
    readdirSync(join(examples, 'topologies')).filter((name) => !shown.has(name)),
    [],
  )
})

for (const [file, promise] of Object.entries(promises)) {
  test(`${file} does what it says, and cleans up`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(examples, file)], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.match(stdout, promise)
    assert.deepEqual(
      JSON.parse(output('ip', '-j', 'link')).map(({ ifname }: { ifname: string }) => ifname),
      ['lo'],
    )
    assert.equal(output('ip', 'netns'), '')
  })
}
