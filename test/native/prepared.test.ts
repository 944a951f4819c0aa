/** An executable that begins with the engine as the build has prepared it behaves as one that starts its engine each time. */
import assert from 'node:assert/strict'
import { afterAll, test } from 'vitest'
import { type Answer, buildPrograms } from './executables.ts'

const text = `
const kept = { numbers: Array.from({ length: 300 }, (_, i) => i), map: new Map([['a', 1n << 70n]]), pattern: /b+/g }
let count = 0
const print = (text) => { const bytes = overlabSys.encode(text); overlabSys.write(1, bytes, bytes.length) }
globalThis.overlabPlugins = {
  __proto__: null,
  all() {
    kept.numbers.push(300) // outgrows a block that the build made
    kept.map.set('b', 'abbb'.match(kept.pattern)[0])
    for (let i = 0; i < 30000; i++) kept.map.set(i, { i, text: 'x'.repeat(i % 50) }) // and the image
    count++
    print([kept.numbers.length, kept.map.get('a'), kept.map.get('b'), kept.map.size, count].join(' '))
    overlabSys.exit(0)
  },
  surroundings() { print(overlabSys.environment().WHERE + ' ' + overlabSys.getpid()); overlabSys.exit(0) },
  throws() { throw new Error('on purpose') },
  rejects() { Promise.reject(new Error('later')) },
  recurses() { const again = () => [again()]; again() },
  devours() { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) },
  silent() {},
}`

const names = ['all', 'surroundings', 'throws', 'rejects', 'recurses', 'devours', 'silent']
const executables = await buildPrograms([{ name: names[0]!, text }], { prepared: true, names: names.slice(1) })
afterAll(() => executables.remove())

test('what was set up is there, and may change, grow and be freed', () => {
  const { status, stdout } = executables.run('all')
  assert.equal(stdout, '301 1180591620717411303424 bbb 30002 1')
  assert.equal(status, 0)
})

test('two runs know nothing of each other', () => {
  assert.equal(executables.run('all').stdout, executables.run('all').stdout)
})

test('environment and process are those of the run, not of the build', () => {
  const [first, second] = ['here', 'there'].map((WHERE) => executables.run('surroundings', { environment: { WHERE } }))
  assert.match(first!.stdout, /^here \d+$/)
  assert.match(second!.stdout, /^there \d+$/)
  assert.notEqual(first!.stdout.split(' ')[1], second!.stdout.split(' ')[1])
})

const failures = [
  ['throws', /on purpose/],
  ['rejects', /later/],
  ['recurses', /stack/i],
  ['devours', /memory/i],
  ['silent', /without an answer/],
] as const
for (const [name, message] of failures) {
  test(`one that ${name} answers with one error`, () => {
    const { status, stdout }: Answer = executables.run(name)
    const { code, msg } = JSON.parse(stdout) as { code: number; msg: string }
    assert.equal(code, 999)
    assert.match(msg, message)
    assert.ok(status !== null && status > 0)
  })
}

test('a name that every object has is none', () => {
  const { stdout } = executables.run('all', { shell: 'exec -a toString "$0"', interpreter: 'bash' })
  assert.match(stdout, /^301 /) // the file's own name counts
})
