/** The C file trusts nobody: what is wrong ends in an exception, and text is what Unicode says it is. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, describe, test } from 'vitest'
import { buildPrograms, builds } from './executables.ts'

for (const { build, options } of builds) {
  describe(build, async () => {
    const executables = await buildPrograms(['hostile', 'utf8', 'fuzz'], options)
    afterAll(() => executables.remove())

    test('an argument of the wrong type or size ends in an exception, before any call and without running the caller', () => {
      const { stdout, stderr } = executables.run('hostile')
      assert.equal(stderr, '')
      const { tried, findings } = JSON.parse(stdout)
      assert.deepEqual(findings, [])
      assert.ok(tried > 1500, `only ${tried} were tried`)
    })

    test('text is decoded and encoded as TextDecoder and TextEncoder do', () => {
      const interesting = fc.constantFrom(
        0x00,
        0x41,
        0x7f,
        0x80,
        0x8f,
        0x90,
        0x9f,
        0xa0,
        0xbf,
        0xc0,
        0xc2,
        0xdf,
        0xe0,
        0xe1,
      )
      const leads = fc.constantFrom(0xed, 0xef, 0xbb, 0xf0, 0xf1, 0xf4, 0xf5, 0xff)
      const bytes = fc.array(fc.oneof(interesting, leads, fc.nat(255)), { maxLength: 12 })
      const samples = [...fc.sample(bytes, 20_000), [0xef, 0xbb, 0xbf, 0x41]].map((row) => Uint8Array.from(row))
      const { stdout } = executables.run('utf8', {
        input: samples.map((row) => Buffer.from(row).toString('hex')).join('\n'),
      })
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
      const expected = samples.map((row) => {
        const text = decoder.decode(row)
        const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'))
        return `${units.join('')} ${Buffer.from(new TextEncoder().encode(text.slice(1))).toString('hex')}`
      })
      assert.deepEqual(stdout.split('\n'), expected)
    })

    test('random calls with random arguments do no harm', ({ annotate }) => {
      const seed = process.env.OVERLAB_SEED ?? String(Math.floor(Math.random() * 2 ** 32))
      annotate(`OVERLAB_SEED=${seed}`)
      const { status, stdout, stderr } = executables.run('fuzz', { environment: { SEED: seed }, shell: scratch })
      assert.equal(stderr, '', `OVERLAB_SEED=${seed}`)
      const { made, threw } = JSON.parse(stdout)
      assert.equal(status, 0)
      assert.ok(made > 1000 && threw > 1000, `OVERLAB_SEED=${seed}: ${made} calls were made, ${threw} refused`)
    })
  })
}

/** In namespaces of its own and an empty folder: the calls are made by root. */
const scratch = [
  'd=$(mktemp -d) || exit 1',
  'trap "rm -rf $d" EXIT',
  'cd "$d" && DIRECTORY=$d timeout 60 unshare -n -m "$0"',
].join('\n')
