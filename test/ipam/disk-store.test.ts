import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatIp, parseIp } from '../../src/address/ip.ts'
import type { Files } from '../../src/cni/host.ts'
import type { Attachment } from '../../src/cni/plugin.ts'
import { diskStore } from '../../src/ipam/disk-store.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import { memoryHost } from '../support/memory-host.ts'

const DIRECTORY = '/var/lib/cni/networks/lan'
const INDEX = '/run/overlab/ipam'

const of = (containerId: string, ifName = 'eth0'): Attachment => ({ containerId, ifName })

function setUp(there: Record<string, string> = {}, change: (files: Files) => Partial<Files> = () => ({})) {
  const named = Object.entries(there).map(([name, text]) => [`${DIRECTORY}/${name}`, text])
  const host = memoryHost({ files: Object.fromEntries(named) })
  const reads: string[] = []
  const files: Files = {
    ...host.files,
    read(path) {
      reads.push(path)
      return host.files.read(path)
    },
    ...change(host.files),
  }
  const store = diskStore(files, DIRECTORY)
  return {
    host,
    reads,
    store,
    /** What the reference does: files, and nothing but files. */
    reference: host.files,
    names: () => (host.files.list(DIRECTORY) ?? []).sort(),
    reserve: (ip: string, attachment: Attachment, set = 0) =>
      store.locked((reservations) => reservations.reserve(parseIp(ip), set, attachment)),
    heldBy: (attachment: Attachment) =>
      store.locked((reservations) => reservations.heldBy(attachment).map(formatIp)).sort(),
    release: (attachment: Attachment) => store.locked((reservations) => reservations.releaseAll(attachment)),
  }
}

test('a reservation is the file that the reference would have written', () => {
  const { host, reserve } = setUp()
  assert.equal(reserve('10.1.2.3', of('a')), true)
  assert.equal(reserve('fd00::3', of('a'), 1), true)
  const files = Object.entries(host.tree()).filter(([path]) => path.startsWith(DIRECTORY))
  assert.deepEqual(Object.fromEntries(files), {
    [`${DIRECTORY}/lock`]: '',
    [`${DIRECTORY}/10.1.2.3`]: 'a\r\neth0',
    [`${DIRECTORY}/fd00::3`]: 'a\r\neth0',
    [`${DIRECTORY}/last_reserved_ip.0`]: '10.1.2.3',
    [`${DIRECTORY}/last_reserved_ip.1`]: 'fd00::3',
  })
  const mode = (path: string) => host.files.status(path)!.mode.toString(8)
  assert.equal(mode(DIRECTORY), '755')
  assert.equal(mode(`${DIRECTORY}/lock`), '750')
  assert.equal(mode(`${DIRECTORY}/10.1.2.3`), '600')
  assert.equal(mode(`${DIRECTORY}/last_reserved_ip.0`), '600')
})

test('an address that is taken is not reserved again', () => {
  const { reserve } = setUp()
  assert.equal(reserve('10.1.2.3', of('a')), true)
  assert.equal(reserve('10.1.2.3', of('b')), false)
})

test('a reservation whose turn cannot be noted is taken back', () => {
  const { reserve, names } = setUp({}, (files) => ({
    write(path, text, mode) {
      if (path.includes('last_reserved')) throw new KernelError('ENOSPC', `write "${path}"`)
      files.write(path, text, mode)
    },
  }))
  assert.throws(() => reserve('10.1.2.3', of('a')), { errno: 'ENOSPC' })
  assert.deepEqual(names(), ['lock'])
})

test('the lock is held while reservations change, and given back also after an error', () => {
  const { store, host } = setUp()
  store.locked(() => assert.deepEqual([...host.locks], [`${DIRECTORY}/lock`]))
  assert.throws(() =>
    store.locked(() => {
      throw new Error('in between')
    }),
  )
  assert.equal(host.locks.size, 0)
})

// name, text, whether (a, eth0) holds it
const contents = [
  { name: '10.1.2.3', text: 'a\r\neth0', held: true },
  { name: '10.1.2.3', text: ' a\r\neth0\n', held: true },
  { name: '10.1.2.3', text: 'a', held: true },
  { name: '10.1.2.3', text: '\ta\n', held: true },
  { name: 'FD00:0::3', text: 'a\r\neth0', held: true },
  { name: 'odd-name', text: 'a\r\neth0', held: true },
  { name: 'odd-name', text: 'a', held: false },
  { name: '10.1.2.3', text: 'a\neth0', held: false },
  { name: '10.1.2.3', text: 'a\r\neth1', held: false },
  { name: '10.1.2.3', text: 'ab\r\neth0', held: false },
  { name: '10.1.2.3', text: 'a\r\neth0\r\nmore', held: false },
  { name: '10.1.2.3', text: '', held: false },
  { name: 'last_reserved_ip.0', text: 'a', held: false },
  { name: 'lock', text: '', held: false },
]

for (const { name, text, held } of contents) {
  test(`a file ${name} with ${JSON.stringify(text)} is ${held ? '' : 'not '}a reservation of (a, eth0)`, () => {
    const { release, names, store } = setUp({ [name]: text })
    assert.equal(
      store.locked((reservations) => reservations.isHolder(of('a'))),
      held,
    )
    release(of('a'))
    assert.equal(names().includes(name), !held)
  })
}

test("a reservation that is rewritten in its place is its new holder's", () => {
  const { host, reserve, heldBy } = setUp()
  reserve('10.1.2.3', of('a'))
  host.files.write(`${DIRECTORY}/10.1.2.3`, 'a', 0o600)
  assert.deepEqual(heldBy(of('a', 'eth7')), ['10.1.2.3'])
  host.files.write(`${DIRECTORY}/10.1.2.3`, 'b', 0o600)
  assert.deepEqual(heldBy(of('a')), [])
})

test('the last address may be written as an IPv6 one', () => {
  const { store } = setUp({ 'last_reserved_ip.0': '::ffff:10.1.2.5' })
  assert.equal(
    store.locked((reservations) => formatIp(reservations.lastReserved(0)!)),
    '10.1.2.5',
  )
})

test("an interface's own reservation goes before that of the whole container", () => {
  const { release, names } = setUp({ '10.1.2.3': 'a', '10.1.2.4': 'a\r\neth0' })
  release(of('a'))
  assert.deepEqual(names(), ['10.1.2.3', 'lock'])
  release(of('a'))
  assert.deepEqual(names(), ['lock'])
})

test('folders, also one named by an address, are left alone', () => {
  const { host, release, names, reserve, store } = setUp({
    '10.1.2.9/inner': 'a\r\neth0',
    'inner/10.1.2.8': 'a\r\neth0',
  })
  release(of('a'))
  assert.deepEqual(names(), ['10.1.2.9', 'inner', 'lock'])
  assert.equal(host.tree()[`${DIRECTORY}/inner/10.1.2.8`], 'a\r\neth0')
  assert.equal(reserve('10.1.2.9', of('b')), false)
  store.locked((reservations) => {
    assert.equal(reservations.reclaim(), false)
    reservations.releaseUnless(() => false)
  })
  assert.deepEqual(names(), ['10.1.2.9', 'inner', 'lock'])
})

test('what cannot be removed is reported, once all else is gone', () => {
  const stuck = `${DIRECTORY}/10.1.2.3`
  const { release, names } = setUp({ '10.1.2.3': 'a\r\neth0', '10.1.2.4': 'a\r\neth0' }, (files) => ({
    remove(path) {
      if (path === stuck) throw new KernelError('EPERM', `remove "${path}"`)
      return files.remove(path)
    },
  }))
  assert.throws(() => release(of('a')), { errno: 'EPERM' })
  assert.deepEqual(names(), ['10.1.2.3', 'lock'])
})

test('only what has no wanted holder is released, and what is no reservation never', () => {
  const { store, names } = setUp({
    '10.1.2.2': 'a\r\neth0',
    '10.1.2.3': 'b\r\neth0',
    '10.1.2.4': 'c',
    '10.1.2.5': 'not\r\na\r\nreservation',
    'notes.txt': 'x\r\ny',
    'last_reserved_ip.0': '10.1.2.5',
  })
  store.locked((reservations) => reservations.releaseUnless(({ containerId }) => containerId === 'a'))
  assert.deepEqual(names(), ['10.1.2.2', '10.1.2.5', 'last_reserved_ip.0', 'lock', 'notes.txt'])
})

test('with ten thousand reservations there, a reservation and its release read a handful of files', () => {
  const others = Array.from({ length: 10_000 }, (_, i) => [`10.1.${i >> 8}.${i & 255}`, `c${i}\r\neth0`])
  const { reads, reserve, heldBy, release } = setUp(Object.fromEntries(others))
  heldBy(of('a')) // makes the index
  reads.length = 0
  assert.deepEqual(heldBy(of('a')), [])
  reserve('10.2.0.1', of('a'))
  assert.deepEqual(heldBy(of('a')), ['10.2.0.1'])
  release(of('a'))
  release(of('c77'))
  assert.ok(reads.length < 15, `${reads.length} reads`)
})

test('what the reference reserved and released in between is known', () => {
  const { reference, reserve, heldBy } = setUp()
  reserve('10.1.2.2', of('a'))
  reference.create(`${DIRECTORY}/10.1.2.3`, 'b\r\neth0', 0o600)
  assert.deepEqual(heldBy(of('b')), ['10.1.2.3'])
  reference.remove(`${DIRECTORY}/10.1.2.2`)
  assert.deepEqual(heldBy(of('a')), [])
  reference.write(`${DIRECTORY}/10.1.2.3`, 'a\r\neth0', 0o600)
  assert.deepEqual(heldBy(of('b')), [])
})

test('a clock too coarse to show a change leaves no reservation behind', () => {
  const { reference, reserve, heldBy, release, names } = setUp({}, (files) => ({
    status(path) {
      const status = files.status(path)
      return status && { ...status, modified: 1n }
    },
  }))
  heldBy(of('a')) // makes the index
  reserve('10.1.2.2', of('a'))
  reference.create(`${DIRECTORY}/10.1.2.3`, 'b\r\neth0', 0o600)
  release(of('b'))
  assert.deepEqual(names(), ['10.1.2.2', 'last_reserved_ip.0', 'lock'])
})

const broken = {
  'cannot be made': { makeDirectory: true },
  'cannot be written': { write: true },
  'cannot be renamed': { rename: true },
  'cannot be read': { read: true, status: true, list: true },
}

for (const [name, calls] of Object.entries(broken)) {
  test(`an index that ${name} changes no answer`, () => {
    const { reserve, heldBy, release, names } = setUp({ '10.1.2.7': 'z\r\neth0' }, (files) =>
      Object.fromEntries(
        Object.keys(calls).map((call) => [
          call,
          (path: string, ...rest: unknown[]) => {
            if (path.startsWith(INDEX)) throw new KernelError('EROFS', `${call} "${path}"`)
            return (files[call as keyof Files] as (...all: unknown[]) => unknown)(path, ...rest)
          },
        ]),
      ),
    )
    assert.equal(reserve('10.1.2.2', of('a')), true)
    assert.deepEqual(heldBy(of('a')), ['10.1.2.2'])
    assert.deepEqual(heldBy(of('z')), ['10.1.2.7'])
    release(of('a'))
    release(of('z'))
    assert.deepEqual(names(), ['last_reserved_ip.0', 'lock'])
  })
}

test('an index full of anything changes no answer', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', '10.1.2.2', '../x', '\n', ' ', 'runs', 'eth0', 'ff::'), fc.string())),
      (words) => {
        const { host, reserve, heldBy, release, names, store } = setUp()
        reserve('10.1.2.2', of('a'))
        reserve('10.1.2.3', of('b'))
        for (const path of Object.keys(host.tree()).filter((each) => each.startsWith(INDEX))) {
          host.files.write(path, words.flat().join(' '), 0o600)
          host.files.write(`${path.slice(0, path.lastIndexOf('/'))}/runs`, words.flat().join(' '), 0o600)
        }
        store.locked((reservations) => reservations.knownRuns('ipv4'))
        assert.ok(heldBy(of('a')).every((ip) => ip === '10.1.2.2'))
        release(of('a'))
        release(of('b'))
        assert.deepEqual(names(), ['last_reserved_ip.0', 'lock'])
      },
    ),
  )
})

test('any text in any file is answered with a holder or none, and left alone unless it names the attachment', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('10.1.2.3', 'fd00::1', 'x', 'lock'), (text, name) => {
      const { release, names } = setUp({ [name]: text })
      release(of('a'))
      const isOwn = text.trim() === 'a\r\neth0' || (text.trim() === 'a' && /[.:]/.test(name))
      assert.equal(names().includes(name) || name === 'lock', !isOwn || name === 'lock')
    }),
  )
})

test('after anything that we and the reference do in turn, the index says what a scan says', () => {
  const ids = ['a', 'b', 'c', 'd']
  const ips = ['10.1.2.2', '10.1.2.3', '10.1.2.4', '10.1.2.5', 'fd00::2', 'fd00::3']
  const step = fc.record({
    who: fc.constantFrom('we', 'reference'),
    what: fc.constantFrom('reserve', 'release', 'collect', 'forget the index'),
    id: fc.constantFrom(...ids),
    ifName: fc.constantFrom('eth0', 'eth1'),
    ip: fc.constantFrom(...ips),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const { host, reference, store, reserve, release, heldBy } = setUp()
      reserve('10.1.2.9', of('first'))
      const scan = ({ containerId, ifName }: Attachment) =>
        ips.filter((ip) => reference.read(`${DIRECTORY}/${ip}`) === `${containerId}\r\n${ifName}`).sort()
      for (const { who, what, id, ifName, ip } of steps) {
        const attachment = of(id, ifName)
        if (what === 'forget the index') {
          removeTree(host.files, INDEX)
        } else if (what === 'collect') {
          store.locked((reservations) => reservations.releaseUnless((holder) => holder.containerId !== id))
          for (const each of ['eth0', 'eth1']) assert.deepEqual(scan(of(id, each)), [])
        } else if (what === 'reserve') {
          if (who === 'we') reserve(ip, attachment)
          else reference.create(`${DIRECTORY}/${ip}`, `${id}\r\n${ifName}`, 0o600)
        } else if (who === 'we') {
          release(attachment)
          assert.deepEqual(scan(attachment), [])
        } else {
          for (const each of scan(attachment)) reference.remove(`${DIRECTORY}/${each}`)
        }
        for (const each of ids) {
          for (const name of ['eth0', 'eth1']) assert.deepEqual(heldBy(of(each, name)), scan(of(each, name)))
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('one index is kept per directory, with a line per reservation', () => {
  const { host, reference, heldBy, reserve, release } = setUp()
  for (let i = 2; i < 20; i++) {
    if (i % 5 === 0) reference.create(`${DIRECTORY}/10.1.3.${i}`, `r${i}\r\neth0`, 0o600)
    heldBy(of(`c${i}`))
    reserve(`10.1.2.${i}`, of(`c${i}`))
    if (i > 8) release(of(`c${i}`))
  }
  const index = Object.entries(host.tree()).filter(([path]) => path.startsWith(INDEX))
  assert.equal(new Set(index.map(([path]) => path.slice(0, path.lastIndexOf('/')))).size, 1)
  const lines = index.flatMap(([, text]) => text.split('\n').filter((line) => line !== ''))
  assert.deepEqual(
    lines.sort(),
    [
      ...[2, 3, 4, 5, 6, 7, 8].map((i) => `10.1.2.${i} c${i} eth0`),
      ...[5, 10, 15].map((i) => `10.1.3.${i} r${i} eth0`),
    ].sort(),
  )
})

test('an index that is made anew in the middle of changes knows them all', () => {
  const { store, reference, heldBy } = setUp()
  heldBy(of('a')) // makes the index
  store.locked((reservations) => {
    reservations.reserve(parseIp('10.1.2.2'), 0, of('a'))
    reference.create(`${DIRECTORY}/10.1.2.3`, 'b\r\neth0', 0o600) // as if by one who takes no lock
    assert.equal(reservations.isHolder(of('b')), true)
    reservations.release(parseIp('10.1.2.2'))
    reservations.reserve(parseIp('10.1.2.4'), 0, of('c'))
  })
  assert.deepEqual([heldBy(of('a')), heldBy(of('b')), heldBy(of('c'))], [[], ['10.1.2.3'], ['10.1.2.4']])
})

test("an index cannot lead out of the network's directory", () => {
  const { host, heldBy, reserve, release } = setUp({ '../wan/10.9.9.9': 'a\r\neth0' })
  heldBy(of('a'))
  reserve('10.1.2.2', of('a'))
  const [bucket] = Object.keys(host.tree()).filter((path) => path.startsWith(INDEX))
  host.files.write(bucket!, `../wan/10.9.9.9 a eth0\n${host.files.read(bucket!)}`, 0o600)
  release(of('a'))
  assert.equal(host.tree()[`${DIRECTORY}/../wan/10.9.9.9`], 'a\r\neth0')
})

function removeTree(files: Files, path: string): void {
  for (const name of files.list(path) ?? []) {
    if (files.status(`${path}/${name}`)!.kind === 'directory') removeTree(files, `${path}/${name}`)
    else files.remove(`${path}/${name}`)
  }
  files.removeDirectory(path)
}
