/** Calls every system call with every argument wrong in turn. What does not end in a TypeError or RangeError is reported. */
import { sys } from '#sys'

declare function detach(buffer: ArrayBuffer): void

/** What each call takes, after src/linux/sys.ts. */
const takes = {
  socket: ['int', 'int', 'int'],
  bind: ['int', 'bytes'],
  connect: ['int', 'bytes'],
  getsockname: ['int', 'bytes'],
  send: ['int', 'bytes', 'length', 'int'],
  sendto: ['int', 'bytes', 'length', 'int', 'bytes'],
  recv: ['int', 'bytes', 'int'],
  recvfrom: ['int', 'bytes', 'int', 'bytes'],
  setsockopt: ['int', 'int', 'int', 'bytes'],
  setns: ['int', 'int'],
  unshare: ['int'],
  ioctl: ['int', 'unsigned', 'bytes or number'],
  poll: ['bytes', 'int'],
  open: ['text', 'int', 'unsigned'],
  close: ['int'],
  read: ['int', 'bytes'],
  write: ['int', 'bytes', 'length'],
  fsync: ['int'],
  flock: ['int', 'int'],
  ftruncate: ['int', 'size'],
  fchmod: ['int', 'unsigned'],
  mkdir: ['text', 'unsigned'],
  rmdir: ['text'],
  unlink: ['text'],
  rename: ['text', 'text'],
  link: ['text', 'text', 'int'],
  readlink: ['text', 'bytes'],
  statx: ['text', 'int', 'struct statx'],
  getdents64: ['int', 'bytes'],
  mount: ['text', 'text', 'text', 'unsigned', 'text'],
  umount2: ['text', 'int'],
  getrandom: ['bytes'],
  clock: ['clock'],
  sleep: ['milliseconds'],
  getpid: [],
  encode: ['any text'],
  decode: ['bytes'],
  environment: [],
  executable: [],
  run: ['text', 'argv', 'environment', 'bytes'],
  exit: ['status'],
} as const

type Kind = (typeof takes)[keyof typeof takes][number]

let touched = false
const touch = () => {
  touched = true
  return 1
}

function detached(start: number): Uint8Array {
  const bytes = new Uint8Array(16).subarray(start)
  detach(bytes.buffer)
  return bytes
}

const notNumbers = [undefined, null, true, '', '1', 1n, [], [1], {}, () => 1, Symbol(), { valueOf: touch }, Object(1)]
const notIntegers = [...notNumbers, 1.5, -0.5, Number.NaN, 1 / 0, -1 / 0, 2 ** 53, -(2 ** 53), 2 ** 64]
const notText = [
  undefined,
  null,
  1,
  1n,
  true,
  [],
  {},
  ['x'],
  Symbol(),
  { toString: touch },
  Object('x'),
  new Uint8Array(4),
]
const notBytes = [
  ...[undefined, null, 1, 'text', [], [1, 2], {}, { length: 4 }, { buffer: new ArrayBuffer(4), length: 4 }],
  ...[new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), Object.create(Uint8Array.prototype), Uint8Array],
  ...[new Uint16Array(4), new Int32Array(4), new Float64Array(4), new BigInt64Array(4), detached(0), detached(4)],
]

const wrong: Readonly<Record<Kind, readonly unknown[]>> = {
  int: [...notIntegers, 2 ** 31, -(2 ** 31) - 1],
  unsigned: [...notIntegers, -1, 2 ** 32],
  size: notIntegers,
  length: [...notIntegers, -1, 9, 2 ** 31, 2 ** 32],
  clock: [...notIntegers, -1, 2],
  status: [...notIntegers, -1, 256],
  milliseconds: [...notNumbers, -1, -0.5, Number.NaN, 1 / 0, 2 ** 53],
  text: [...notText, '\0', 'a\0', 'a\0b'],
  'any text': notText,
  bytes: notBytes,
  'struct statx': [...notBytes, new Uint8Array(255)],
  'bytes or number': [...notBytes.filter((value) => typeof value !== 'number'), -1, 1.5, 2 ** 32, Number.NaN],
  argv: [
    ...notText.filter((value) => !Array.isArray(value)),
    'x',
    { length: 1, 0: 'x' },
    ['x', 1],
    ['x', undefined],
    ['\0'],
    new Array(1e6),
    new Array(2 ** 32 - 1),
  ],
  environment: [
    undefined,
    null,
    1,
    'x',
    { A: 1 },
    { A: undefined },
    { A: '\0' },
    { 'A\0': 'x' },
    { 'A=': 'x' },
    { '': 'x' },
  ],
}

const right: Readonly<Record<Kind, unknown>> = {
  int: -1,
  unsigned: 0,
  size: 0,
  length: 8,
  clock: 0,
  status: 0,
  milliseconds: 0,
  text: '',
  'any text': '',
  bytes: new Uint8Array(8),
  'struct statx': new Uint8Array(256),
  'bytes or number': 0,
  argv: [],
  environment: {},
}

const findings: string[] = []
let tried = 0

function mustThrow(title: string, make: () => unknown): void {
  tried++
  touched = false
  try {
    make()
    findings.push(`${title} went through`)
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) findings.push(`${title} ended in ${error}`)
  }
  if (touched) findings.push(`${title} ran the caller's code`)
}

const inWords = (value: unknown) =>
  typeof value === 'object' ? Object.prototype.toString.call(value) : `${typeof value} ${String(value)}`

for (const name of Object.keys(sys)) if (!(name in takes)) findings.push(`${name} is not among the calls tried`)
for (const [name, kinds] of Object.entries(takes)) {
  const call = sys[name as keyof typeof takes] as (...values: unknown[]) => unknown
  const values: unknown[] = kinds.map((kind) => right[kind])
  kinds.forEach((kind, at) => {
    for (const value of wrong[kind])
      mustThrow(`${name}, ${at}: ${inWords(value)}`, () => call(...values.with(at, value)))
    mustThrow(`${name} with ${at} arguments`, () => call(...values.slice(0, at)))
  })
}

// The caller's own code runs while a program's arguments are read, and takes the bytes away meanwhile.
const stdin = () => new Uint8Array(1 << 16)
for (const [title, argv, environment] of [
  ['argv', (take: () => string) => Object.defineProperty(['x'], 1, { get: take }), () => ({})],
  ['argv as a proxy', (take: () => string) => new Array(2).fill({ toString: take }), () => ({})],
  ['environment', () => ['x'], (take: () => string) => Object.defineProperty({}, 'A', { get: take, enumerable: true })],
] as const) {
  const input = stdin()
  const take = () => {
    detach(input.buffer)
    return 'x'
  }
  mustThrow(`stdin taken away by ${title}`, () => sys.run('/bin/true', argv(take), environment(take), input))
}
const shrinking: string[] = []
const shrink = () => {
  shrinking.length = 1
  return 'x'
}
Object.defineProperty(shrinking, 0, { get: shrink, configurable: true })
shrinking[2] = 'y'
mustThrow('argv that shrinks while it is read', () => sys.run('/bin/true', shrinking, {}, stdin()))

// A window on a buffer is all that a call sees of it.
const whole = new Uint8Array(64)
sys.getrandom(whole.subarray(16, 48))
if (whole.subarray(0, 16).some(Boolean) || whole.subarray(48).some(Boolean)) findings.push('getrandom left its window')
if (!whole.subarray(16, 48).some(Boolean)) findings.push('getrandom filled nothing in')

const report = sys.encode(JSON.stringify({ tried, findings }))
sys.write(1, report, report.length)
sys.exit(0)
