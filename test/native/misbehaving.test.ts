/** Whatever a program does, its caller gets one JSON document, and a status that tells the truth. */
import assert from 'node:assert/strict'
import { afterAll, describe, test } from 'vitest'
import { buildPrograms, builds } from './executables.ts'

interface Row {
  /** Completes "a program that …". */
  readonly title: string
  readonly text: string
  readonly says: RegExp
  readonly status?: number
}

const out = (text: string) => `sys.write(1, sys.encode(${JSON.stringify(text)}), ${text.length});`

const badly: readonly Row[] = [
  { title: 'throws', text: `throw new TypeError('no "way"\\n')`, says: /^TypeError: no "way"\n$/ },
  { title: 'throws text', text: `throw 'just so'`, says: /^just so$/ },
  { title: 'throws nothing', text: 'throw undefined', says: /^undefined$/ },
  { title: 'throws a symbol', text: 'throw Symbol()', says: /cannot be put in words/ },
  {
    title: 'throws what throws when it is read',
    text: `throw { toString() { throw 1 } }`,
    says: /cannot be put in words/,
  },
  {
    title: 'throws what never ends when it is read',
    text: 'throw { toString() { return String(this) } }',
    says: /cannot be put/,
  },
  { title: 'throws half a character', text: `throw 'a\\ud800b'`, says: /^a\ufffd+b$/ },
  { title: 'throws control characters', text: `throw '\\x01\\x1f'`, says: /^\p{Cc}\p{Cc}$/u },
  { title: 'throws a megabyte', text: `throw 'é'.repeat(1 << 20)`, says: /^é{1000,}$/ },
  { title: 'rejects a promise', text: `Promise.reject(new Error('later'))`, says: /^Error: later$/ },
  {
    title: 'rejects a promise, then succeeds',
    text: `Promise.reject(new Error('later')); sys.exit(0)`,
    says: /^Error: later$/,
  },
  {
    title: 'rejects a promise, then writes and succeeds',
    text: `Promise.reject(1); ${out('{}')} sys.exit(0)`,
    says: /^1$/,
  },
  { title: 'throws in a job', text: `Promise.resolve().then(() => { throw new Error('job') })`, says: /^Error: job$/ },
  {
    title: 'throws in a job, having exited',
    text: `Promise.resolve().then(() => { throw 2 }); sys.exit(0)`,
    says: /^2$/,
  },
  {
    title: 'throws after await',
    text: `(async () => { await 1; throw new Error('async') })()`,
    says: /^Error: async$/,
  },
  {
    title: 'waits for ever',
    text: `(async () => { await new Promise(() => {}); ${out('{}')} })()`,
    says: /without an answer/,
  },
  { title: 'calls itself for ever', text: 'const f = () => 1 + f(); f()', says: /stack overflow/ },
  { title: 'nests JSON for ever', text: `JSON.parse('['.repeat(1e6))`, says: /stack overflow/ },
  { title: 'allocates for ever', text: 'const all = []; for (;;) all.push(new Uint8Array(1 << 16))', says: /memory/ },
  { title: 'holds what it allocates in small pieces', text: 'let all; for (;;) all = { all }', says: /memory/ },
  { title: 'lets text grow for ever', text: `let s = 'x'; for (;;) s += s`, says: /too long|memory/ },
  { title: 'ends without a word', text: '0', says: /without an answer/ },
  { title: 'writes, and ends without exit', text: out('{}'), says: /without an answer/ },
  { title: 'writes half, and throws', text: `${out('{"cniVersion":')} throw 'half'`, says: /^half$/ },
  { title: 'fails without a word', text: 'sys.exit(7)', says: /without saying why/, status: 7 },
  { title: 'exits with what is no status', text: 'sys.exit(256)', says: /RangeError: .*256/ },
  { title: 'calls what is not there', text: 'sys.reboot()', says: /not a function/ },
  { title: 'is no CNI plugin', text: 'globalThis.missing.property', says: /undefined/ },
]

const well: readonly Row[] = [
  { title: 'succeeds', text: `${out('{"a":1}')} sys.exit(0)`, says: /^\{"a":1\}$/, status: 0 },
  { title: 'succeeds without a word, as DEL does', text: 'sys.exit(0)', says: /^$/, status: 0 },
  { title: 'fails with a word', text: `${out('{"code":7}')} sys.exit(3)`, says: /^\{"code":7\}$/, status: 3 },
  { title: 'writes in pieces', text: `${out('{"a"')} ${out(':1}')} sys.exit(0)`, says: /^\{"a":1\}$/, status: 0 },
  { title: 'handles its rejection', text: `Promise.reject(1).catch(() => {}); sys.exit(0)`, says: /^$/, status: 0 },
  {
    title: 'exits in a job',
    text: `Promise.resolve().then(() => { ${out('{}')} sys.exit(0) })`,
    says: /^\{\}$/,
    status: 0,
  },
]

const bundles = [...badly, ...well].map(({ text }, row) => ({
  name: `row-${row}`,
  text: `const sys = overlabSys; ${text}`,
}))

for (const { build, options } of builds) {
  describe(build, async () => {
    const executables = await buildPrograms(bundles, options)
    afterAll(() => executables.remove())

    badly.forEach(({ title, says, status = 1 }, row) => {
      test(`a program that ${title} answers with one error`, () => {
        const answer = executables.run(`row-${row}`)
        const { cniVersion, code, msg } = JSON.parse(answer.stdout)
        assert.deepEqual([cniVersion, code, answer.status, answer.stderr], ['1.1.0', 999, status, ''])
        assert.match(msg, says)
      })
    })

    well.forEach(({ title, says, status }, row) => {
      test(`a program that ${title} is left alone`, () => {
        const answer = executables.run(`row-${badly.length + row}`)
        assert.match(answer.stdout, says)
        assert.equal(answer.status, status)
      })
    })

    const success = `row-${badly.length}`
    test.for([
      ['is full', 'exec "$0" >/dev/full'],
      ['is closed', 'exec "$0" >&-'],
    ] as const)('success is not reported when stdout %s', ([, shell]) => {
      assert.notEqual(executables.run(success, { shell }).status, 0)
    })

    test('a name that is no plugin is answered with an error', () => {
      const answer = executables.run('all')
      assert.match(JSON.parse(answer.stdout).msg, /which plugin/)
      assert.equal(answer.status, 1)
    })

    test('the executable knows itself by its file when its caller hides the name', () => {
      const answer = executables.run(success, { shell: `exec bash -c 'exec -a anything "$0"' "$0"` })
      assert.deepEqual([answer.status, answer.stdout], [0, '{"a":1}'])
    })
  })
}
