/** Every file in examples/ runs, and says what its essay promises. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { output } from './traces.ts'

const examples = join(import.meta.dirname, '../../examples')

const promises: Readonly<Record<string, RegExp>> = {
  'two-containers.ts': /^10\.99\.0\.2 pings 10\.99\.0\.3: \{\s+outcome: 'reply'/,
}

test('every example has its promise here', () => {
  assert.deepEqual(readdirSync(examples), Object.keys(promises))
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
