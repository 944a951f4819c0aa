/** Makes random calls with random arguments, within the folder DIRECTORY and without ever waiting. SEED repeats a run. */
import { sys } from '#sys'

const CALLS = 30_000
const { SEED, DIRECTORY } = sys.environment()
let state = Number(SEED) >>> 0

/** mulberry32. */
function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below
}

const one = <T>(values: readonly T[]): T => values[random(values.length)]!

const buffer = new ArrayBuffer(512)
const odd = () =>
  one<unknown>([
    undefined,
    null,
    -1,
    1.5,
    2 ** 40,
    Number.NaN,
    'x',
    '',
    {},
    [],
    7n,
    Symbol(),
    buffer,
    new Uint16Array(3),
    [],
  ])
// Not the standard streams: the report goes there.
const fd = () => (random(8) ? 3 + random(12) : one<unknown>([-1, 2 ** 31 - 1, odd()]))
const int = () =>
  one<unknown>([0, 1, 2, 3, random(64), random(65536), random(2 ** 31), -random(64), 2 ** random(33), odd()])
const bytes = () => {
  if (random(10) === 0) return odd()
  const start = random(512)
  const view = new Uint8Array(buffer, start, random(512 - start))
  if (random(4) === 0) sys.getrandom(view)
  return view
}
const length = () => one<unknown>([0, 1, 8, random(64), random(600), odd()])
const path = () =>
  random(10) === 0
    ? one<unknown>([odd(), 'a\0b', `${DIRECTORY}/${'x'.repeat(random(5000))}`])
    : `${DIRECTORY}/${one(['a', 'b', 'c', 'a/d', 'b/e', '.', '..a', '\ud800', 'ü'])}`
const env = () => one<unknown>([{}, { A: 'b' }, { A: 1 }, { '=': 'x' }, odd()])
const argv = () => one<unknown>([[], ['x'], ['x', 'y\0'], ['x', 5], ['x', 'é'.repeat(random(3000))], odd()])

const O_NONBLOCK = 0x800
const SOCK_NONBLOCK = 0x800
const MSG_DONTWAIT = 0x40
const LOCK_NB = 4
const MNT_DETACH = 2
/** O_CREAT, O_TRUNC, O_DIRECTORY, O_RDWR, O_APPEND, O_PATH. */
const openFlags = () => one([0, 1, 2, 0o100, 0o102, 0o1102, 0o200000, 0o2002, 0o10000000]) | O_NONBLOCK

type Row = readonly [name: keyof typeof sys, ...given: (() => unknown)[]]
const rows: readonly Row[] = [
  ['socket', () => one([1, 2, 10, 16, 17, int()]), () => (1 + random(5)) | SOCK_NONBLOCK, () => one([0, 0, 12, int()])],
  ['bind', fd, bytes],
  ['connect', fd, bytes],
  ['getsockname', fd, bytes],
  ['send', fd, bytes, length, () => MSG_DONTWAIT],
  ['sendto', fd, bytes, length, () => MSG_DONTWAIT, bytes],
  ['recv', fd, bytes, () => MSG_DONTWAIT | one([0, 2, 0x20])],
  ['recvfrom', fd, bytes, () => MSG_DONTWAIT, bytes],
  ['setsockopt', fd, int, int, bytes],
  ['setns', fd, () => one<unknown>([0, 0x40000000, odd()])],
  ['ioctl', fd, int, () => one([bytes(), int()])],
  ['ioctl', fd, () => 0x400454ca, bytes],
  ['poll', bytes, () => 0],
  ['open', path, openFlags, () => 0o700],
  ['open', path, openFlags, int],
  ['close', fd],
  ['read', fd, bytes],
  ['write', fd, bytes, length],
  ['fsync', fd],
  ['flock', fd, () => one([1, 2, 8]) | LOCK_NB],
  ['ftruncate', fd, () => one<unknown>([0, random(4096), odd()])],
  ['fchmod', fd, int],
  ['mkdir', path, () => 0o700],
  ['rmdir', path],
  ['unlink', path],
  ['rename', path, path],
  ['link', path, path, () => one<unknown>([0, 0x400, odd()])],
  ['readlink', path, bytes],
  ['statx', path, int, bytes],
  ['statx', path, () => 0, () => new Uint8Array(buffer, 0, 256 + random(200))],
  ['getdents64', fd, bytes],
  ['mount', () => one<unknown>(['none', odd()]), path, () => one<unknown>(['tmpfs', 'x', odd()]), () => 0, () => ''],
  ['umount2', path, () => MNT_DETACH],
  ['getrandom', bytes],
  ['clock', int],
  ['encode', () => one<unknown>(['x', 'é\ud800', '\udc00', 'x'.repeat(random(1000)), odd()])],
  ['decode', bytes],
  ['environment'],
  ['executable'],
  ['getpid'],
  ['run', path, argv, env, bytes],
]

let made = 0
let threw = 0
for (let i = 0; i < CALLS; i++) {
  const [name, ...given] = one(rows)
  try {
    ;(sys[name] as (...values: unknown[]) => unknown)(...given.map((make) => make()))
    made++
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    threw++
  }
}
const report = sys.encode(JSON.stringify({ made, threw }))
sys.write(1, report, report.length)
sys.exit(0)
