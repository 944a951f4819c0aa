/** Files: whole at every moment, locked while somebody lives, open to nobody who was not asked for. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, test, vi } from 'vitest'
import { sys } from '#sys'
import type { Files } from '../../src/cni/host.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import { files as ours } from '../../src/linux/files.ts'
import { host } from '../../src/linux/host.ts'
import { eventually } from '../contract/kernel/case.ts'

const files: Files = host.files
const O_TMPFILE = 0o20200000
const directory = mkdtempSync(join(tmpdir(), 'overlab-files-'))
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(() => {
  vi.restoreAllMocks()
  process.umask(0o022)
})

let paths = 0
const fresh = () => join(directory, `${++paths}`)
const inFresh = () => {
  const folder = fresh()
  mkdirSync(folder)
  return folder
}
const refusedWith = (errno: string) => (error: unknown) => error instanceof KernelError && error.errno === errno

test('read answers the text, and undefined where no file is', () => {
  const path = fresh()
  writeFileSync(path, 'ä text\n')
  assert.equal(files.read(path), 'ä text\n')
  assert.equal(files.read(`${path}-nothing`), undefined)
  assert.equal(files.read(`${path}/below`), undefined)
  assert.throws(() => files.read(directory), refusedWith('EISDIR'))
})

// Sizes about the size of the buffer.
for (const size of [0, 1, 4095, 4096, 4097, 8192, 100_000]) {
  test(`a file of ${size} bytes is written and read whole`, () => {
    const path = fresh()
    const text = 'x'.repeat(size)
    files.write(path, text, 0o644)
    assert.equal(readFileSync(path, 'utf8'), text)
    assert.equal(files.read(path), text)
  })
}

test('write writes over what is there, in place', () => {
  const path = fresh()
  files.write(path, 'a long text', 0o600)
  const { ino } = statSync(path)
  files.write(path, 'short', 0o644)
  assert.equal(readFileSync(path, 'utf8'), 'short')
  assert.equal(statSync(path).ino, ino)
  assert.equal(statSync(path).mode & 0o777, 0o600, 'the mode is of the one who made it')
})

test('replace puts a new file in the place of the old one, and leaves no other', () => {
  const folder = inFresh()
  const path = join(folder, 'file')
  files.replace(path, 'one', 0o600)
  const { ino } = statSync(path)
  files.replace(path, 'two', 0o600)
  assert.equal(readFileSync(path, 'utf8'), 'two')
  assert.notEqual(statSync(path).ino, ino)
  assert.deepEqual(readdirSync(folder), ['file'])
})

test('replace that cannot be leaves no file beside', () => {
  const folder = inFresh()
  mkdirSync(join(folder, 'taken'))
  assert.throws(() => files.replace(join(folder, 'taken'), 'text', 0o600), refusedWith('EISDIR'))
  assert.deepEqual(readdirSync(folder), ['taken'])
})

test('create makes a file once', () => {
  const folder = inFresh()
  const path = join(folder, 'file')
  assert.equal(files.create(path, 'first', 0o600), true)
  assert.equal(files.create(path, 'second', 0o600), false)
  assert.equal(readFileSync(path, 'utf8'), 'first')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(folder), ['file'])
  assert.throws(() => files.create(join(folder, 'nothing/file'), 'text', 0o600), refusedWith('ENOENT'))
})

test('create shows the file with its text: the name comes last', () => {
  const path = join(inFresh(), 'file')
  const { link } = sys
  const seen = vi.spyOn(sys, 'link').mockImplementation((from, to, flags) => {
    assert.equal(readFileSync(from, 'utf8'), 'text')
    assert.deepEqual(readdirSync(join(path, '..')), [])
    return link(from, to, flags)
  })
  files.create(path, 'text', 0o600)
  assert.equal(seen.mock.calls.length, 1)
  assert.equal(readFileSync(path, 'utf8'), 'text')
})

// What a file system without O_TMPFILE, an old kernel, or another architecture answers; and a place without /proc.
for (const errno of ['EOPNOTSUPP', 'EISDIR', 'EINVAL', 'no /proc']) {
  test(`create does without O_TMPFILE: ${errno}`, () => {
    const numbers: Record<string, number> = { EOPNOTSUPP: 95, EISDIR: 21, EINVAL: 22 }
    const { open, link } = sys
    vi.spyOn(sys, 'open').mockImplementation((path, flags, mode) =>
      (flags & O_TMPFILE) === O_TMPFILE && numbers[errno] ? -numbers[errno]! : open(path, flags, mode),
    )
    vi.spyOn(sys, 'link').mockImplementation((from, to, flags) =>
      from.startsWith('/proc') ? -2 : link(from, to, flags),
    )
    const folder = inFresh()
    const path = join(folder, 'file')
    assert.equal(files.create(path, 'text', 0o640), true)
    assert.equal(files.create(path, 'other', 0o640), false)
    assert.equal(readFileSync(path, 'utf8'), 'text')
    assert.deepEqual(readdirSync(folder), ['file'])
    assert.throws(() => files.create(join(folder, 'nothing/file'), 'text', 0o600), refusedWith('ENOENT'))
  })
}

test('eight processes create one file: one of them does, and its text is whole', async () => {
  const path = fresh()
  const source = `
    import { files } from ${JSON.stringify(join(import.meta.dirname, '../../src/linux/files.ts'))}
    process.stdout.write(String(files.create(process.argv[1], String(process.pid).repeat(1000), 0o600)))`
  const answers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let text = ''
      child.stdout.on('data', (bytes) => (text += bytes))
      await once(child, 'close')
      return { answer: text, pid: child.pid! }
    }),
  )
  const winners = answers.filter(({ answer }) => answer === 'true')
  assert.equal(winners.length, 1)
  assert.equal(answers.filter(({ answer }) => answer === 'false').length, 7)
  assert.equal(readFileSync(path, 'utf8'), String(winners[0]!.pid).repeat(1000))
})

test('a file and a directory are not open to all, whatever mode and umask are', () => {
  process.umask(0)
  const folder = fresh()
  files.makeDirectory(folder, 0o777)
  files.write(join(folder, 'written'), '', 0o666)
  files.replace(join(folder, 'replaced'), '', 0o666)
  files.create(join(folder, 'created'), '', 0o666)
  files.lock(join(folder, 'locked'), 0o666).release()
  for (const path of ['', 'written', 'replaced', 'created', 'locked']) {
    assert.equal(statSync(join(folder, path)).mode & 0o002, 0, path)
  }
})

test('the umask narrows a mode', () => {
  process.umask(0o077)
  const path = fresh()
  files.create(path, '', 0o644)
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('remove and removeDirectory tell whether there was something', () => {
  const folder = inFresh()
  files.write(join(folder, 'file'), '', 0o600)
  assert.throws(() => files.removeDirectory(folder), refusedWith('ENOTEMPTY'))
  assert.equal(files.remove(join(folder, 'file')), true)
  assert.equal(files.remove(join(folder, 'file')), false)
  assert.equal(files.removeDirectory(folder), true)
  assert.equal(files.removeDirectory(folder), false)
})

test('rename gives a file another name', () => {
  const [from, to] = [fresh(), fresh()]
  files.write(from, 'text', 0o600)
  files.rename(from, to)
  assert.equal(files.read(from), undefined)
  assert.equal(files.read(to), 'text')
  assert.throws(() => files.rename(from, to), refusedWith('ENOENT'))
})

test('list names what is in a directory, however much it is', () => {
  const folder = inFresh()
  assert.deepEqual(files.list(folder), [])
  const names = Array.from({ length: 3000 }, (_, i) => `a-name-that-is-long-enough-${i}-ä`)
  for (const name of names) writeFileSync(join(folder, name), '')
  assert.deepEqual(files.list(folder)?.sort(), names.sort())
  assert.equal(files.list(join(folder, 'nothing')), undefined)
  assert.throws(() => files.list(join(folder, names[0]!)), refusedWith('ENOTDIR'))
})

test('makeDirectory makes those above too, and is content with one that is there', () => {
  const folder = join(fresh(), 'a/b/c')
  files.makeDirectory(folder, 0o750)
  files.makeDirectory(folder, 0o700)
  assert.equal(statSync(folder).mode & 0o777, 0o750)
  writeFileSync(join(folder, 'file'), '')
  assert.throws(() => files.makeDirectory(join(folder, 'file'), 0o700), refusedWith('ENOTDIR'))
  assert.throws(() => files.makeDirectory(join(folder, 'file/below'), 0o700), refusedWith('ENOTDIR'))
})

test('status tells what is there, and follows symbolic links', () => {
  const path = fresh()
  writeFileSync(path, 'twelve bytes')
  chmodSync(path, 0o640)
  symlinkSync(path, `${path}-link`)
  const { ino, dev, mtimeNs } = statSync(path, { bigint: true })
  const status = files.status(`${path}-link`)!
  assert.deepEqual(
    { ...status, device: undefined },
    { kind: 'file', size: 12, mode: 0o640, inode: ino, modified: mtimeNs, device: undefined },
  )
  assert.equal(status.device, files.status(directory)!.device)
  assert.ok(dev > 0n)
  assert.equal(files.status(directory)?.kind, 'directory')
  assert.equal(files.status('/dev/null')?.kind, 'other')
  assert.equal(files.status(`${path}-nothing`), undefined)
})

test('tryLock does not wait for a lock that somebody holds', () => {
  const path = fresh()
  const lock = ours.tryLock(path, 0o600)
  assert.ok(lock)
  assert.equal(ours.tryLock(path, 0o600), undefined)
  lock.release()
  lock.release()
  const next = ours.tryLock(path, 0o600)
  assert.ok(next)
  next.release()
})

test('a lock is waited for, and given back by release or by the death of its holder', async () => {
  const path = fresh()
  const source = `
    import { files } from ${JSON.stringify(join(import.meta.dirname, '../../src/linux/files.ts'))}
    files.lock(process.argv[1], 0o600)
    process.stdout.write('mine')
    setInterval(() => {}, 1000)`
  const lock = files.lock(path, 0o600)
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const taken = once(child.stdout, 'data')
  const waits = new RegExp(`-> FLOCK .* ${child.pid} `)
  await eventually(() => waits.test(readFileSync('/proc/locks', 'utf8')), 'it waits for the lock')
  lock.release()
  lock.release() // does no harm
  await taken
  child.kill('SIGKILL')
  await once(child, 'exit')
  files.lock(path, 0o600).release()
})

test('a name with a NUL is a RangeError', () => {
  for (const call of [
    () => files.read('a\0b'),
    () => files.write('a\0b', '', 0o600),
    () => files.replace('a\0b', '', 0o600),
    () => files.create('a\0b', '', 0o600),
  ]) {
    assert.throws(call, RangeError)
  }
})

test('no call leaves a descriptor open', () => {
  const count = () => readdirSync('/proc/self/fd').length
  const folder = inFresh()
  const path = join(folder, 'file')
  const before = count()
  for (let i = 0; i < 50; i++) {
    files.write(path, 'x', 0o600)
    files.replace(path, 'y', 0o600)
    files.create(path, 'z', 0o600)
    files.read(path)
    files.list(folder)
    files.status(path)
    files.lock(path, 0o600).release()
    assert.throws(() => files.read(folder))
    assert.throws(() => files.list(path))
    assert.throws(() => files.create(join(folder, 'nothing/x'), '', 0o600))
  }
  assert.equal(count(), before)
})

test('openLog answers nothing where there is no file, and the lines of one that there is', () => {
  const path = fresh()
  assert.equal(files.openLog(path), undefined)
  writeFileSync(path, 'first\nsécond\nunfinish')
  const log = files.openLog(path)!
  assert.deepEqual(log.first(), { line: 'first', end: 6 })
  assert.deepEqual(log.lines(6), { lines: ['sécond'], end: 14 })
  assert.deepEqual(log.lines(14), { lines: [], end: 14 })
  log.close()
})

test('openLog: a text is written where the lines end, over what was never finished', () => {
  const path = fresh()
  writeFileSync(path, 'first\nunfinished')
  const log = files.openLog(path)!
  assert.equal(log.append(6, 'é\n'), 9)
  assert.equal(readFileSync(path, 'utf8'), 'first\né\n')
  appendFileSync(path, 'third\n')
  assert.deepEqual(log.lines(9), { lines: ['third'], end: 15 })
  log.close()
})

test('openLog: a file that another has taken the place of is not current, and can be read on', () => {
  const path = fresh()
  writeFileSync(path, 'first\n')
  const log = files.openLog(path)!
  assert.ok(log.isCurrent())
  files.replace(path, 'other\n', 0o600)
  assert.ok(!log.isCurrent())
  assert.deepEqual(log.lines(0).lines, ['first'])
  log.close()
})
