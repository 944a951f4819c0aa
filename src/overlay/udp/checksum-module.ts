/**
 * The checksum as a WebAssembly module, written here byte by byte: WebAssembly Core Specification 2.0, §5 (binary
 * format) and its SIMD instructions. It sums 16 bytes with two instructions, straight in the memory that the packets
 * are in.
 *
 *   sum(at, length)      a, b: four 32-bit sums each      total: 64 bits
 *     while length ≥ 128: add eight times 16 bytes, to a and b in turns
 *     while length ≥ 16:  add 16 bytes to a
 *     total = the eight sums; the last 15 bytes by 8, 4, 2 and 1
 *     fold total to 16 bits
 */
import type { Sum } from './checksum.ts'

const I32 = 0x7f
const I64 = 0x7e
const V128 = 0x7b
const NO_RESULT = 0x40

// Parameters and locals, by number.
const AT = 0
const LENGTH = 1
const A = 2
const B = 3
const TOTAL = 4

const END = 0x0b
const I32_LESS = 0x48
const I32_ADD = 0x6a
const I32_SUBTRACT = 0x6b
const I32_AND = 0x71
const I32_WRAP = 0xa7
const I64_ADD = 0x7c
const I64_AND = 0x83
const I64_SHIFT_RIGHT = 0x88
const I64_EXTEND = 0xad
const I64_LOAD_8 = 0x31
const I64_LOAD_16 = 0x33
const I64_LOAD_32 = 0x35
// Behind the prefix 0xfd.
const V128_LOAD = 0x00
const I32X4_EXTRACT_LANE = 0x1b
const I32X4_PAIRWISE_ADD_16 = 0x7f
const I32X4_ADD = 0xae

type Code = readonly number[]

/** The module. It imports `e.m`, a memory of exactly so many pages of 64 KiB, and exports `sum`. */
export function checksumModule(pages: number): Uint8Array<ArrayBuffer> {
  const type = [0x60, ...vector([[I32], [I32]]), ...vector([[I32]])]
  const memory = [...name('e'), ...name('m'), 0x02, 0x01, ...unsigned(pages), ...unsigned(pages)]
  const body = [
    ...vector([
      [2, V128],
      [1, I64],
    ]),
    ...sumCode(),
  ]
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [type]),
    ...section(2, [memory]),
    ...section(3, [[0]]),
    ...section(7, [[...name('sum'), 0, 0]]),
    ...section(10, [[...unsigned(body.length), ...body]]),
  ])
}

function sumCode(): Code {
  const eight = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => addVector(i % 2 ? B : A, 16 * i))
  return [
    ...whileLeft(128, eight),
    ...whileLeft(16, addVector(A, 0)),
    ...[...get(A), ...get(B), ...simd(I32X4_ADD), ...set(A)],
    ...[0, 1, 2, 3].flatMap((lane) => addLane(A, lane)),
    ...ifLeft(8, [...addLoaded(I64_LOAD_32, 0), ...addLoaded(I64_LOAD_32, 4)]),
    ...ifLeft(4, addLoaded(I64_LOAD_32, 0)),
    ...ifLeft(2, addLoaded(I64_LOAD_16, 0)),
    ...ifLeft(1, addLoaded(I64_LOAD_8, 0)),
    ...[...fold(32), ...fold(16), ...fold(16), ...fold(16)],
    ...[...get(TOTAL), I32_WRAP, END],
  ]
}

/** while (LENGTH >= size) { code; AT += size; LENGTH -= size } */
function whileLeft(size: number, code: Code): Code {
  const leave = [...get(LENGTH), ...constant(size), I32_LESS, 0x0d, 1]
  const shorten = [...get(LENGTH), ...constant(size), I32_SUBTRACT, ...set(LENGTH)]
  return [0x02, NO_RESULT, 0x03, NO_RESULT, ...leave, ...code, ...advance(size), ...shorten, 0x0c, 0, END, END]
}

/** if (LENGTH & size) { code; AT += size } */
function ifLeft(size: number, code: Code): Code {
  return [...get(LENGTH), ...constant(size), I32_AND, 0x04, NO_RESULT, ...code, ...advance(size), END]
}

/** Eight words of the 16 bytes, added by pairs, and the four sums to those in `register`. */
function addVector(register: number, offset: number): Code {
  const load = [...get(AT), ...simd(V128_LOAD, 0, ...unsigned(offset))]
  return [...get(register), ...load, ...simd(I32X4_PAIRWISE_ADD_16), ...simd(I32X4_ADD), ...set(register)]
}

function addLane(register: number, lane: number): Code {
  return [...get(TOTAL), ...get(register), ...simd(I32X4_EXTRACT_LANE, lane), I64_EXTEND, I64_ADD, ...set(TOTAL)]
}

function addLoaded(load: number, offset: number): Code {
  return [...get(TOTAL), ...get(AT), load, 0, ...unsigned(offset), I64_ADD, ...set(TOTAL)]
}

/** TOTAL = (TOTAL >> bits) + (TOTAL & its lowest bits) */
function fold(bits: 16 | 32): Code {
  const shifted = [...get(TOTAL), ...constant64(bits), I64_SHIFT_RIGHT]
  const lowest = [...get(TOTAL), ...constant64(2 ** bits - 1), I64_AND]
  return [...shifted, ...lowest, I64_ADD, ...set(TOTAL)]
}

function advance(size: number): Code {
  return [...get(AT), ...constant(size), I32_ADD, ...set(AT)]
}

const get = (local: number): Code => [0x20, local]
const set = (local: number): Code => [0x21, local]
const constant = (value: number): Code => [0x41, ...signed(value)]
const constant64 = (value: number): Code => [0x42, ...signed(value)]
const simd = (instruction: number, ...operands: number[]): Code => [0xfd, ...unsigned(instruction), ...operands]

function section(id: number, entries: readonly Code[]): Code {
  const body = vector(entries)
  return [id, ...unsigned(body.length), ...body]
}

function vector(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()]
}

function name(text: string): Code {
  return vector([...text].map((letter) => [letter.charCodeAt(0)]))
}

/** LEB128, §5.2.2: seven bits a byte, the lowest first. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

/** The same with a sign, which the highest bit is. `value` is none below 0, so that bit must be clear. */
function signed(value: number): Code {
  return value < 0x40 ? [value] : [(value % 0x80) | 0x80, ...signed(Math.floor(value / 0x80))]
}

/** A global of every engine, which TypeScript counts among the browser's. */
interface WebAssemblyGlobal {
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}
const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyGlobal }

/** Memory of a fixed size, which therefore never moves, and the sum of bytes in it. `pages` of 64 KiB. */
export function summingMemory(pages: number): { readonly memory: ArrayBuffer; readonly sum: Sum } {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const module = new WebAssembly.Module(checksumModule(pages))
  const { exports } = new WebAssembly.Instance(module, { e: { m: memory } })
  return { memory: memory.buffer, sum: (exports as { readonly sum: Sum }).sum }
}
