/**
 * Addresses as numbers, as the executable's engine computes them, beside the same steps on bytes. Prints what differs: its
 * BigInt.asUintN(64, …) was found wrong.
 */
import { sys } from '#sys'
import { compareIp, familyOf, formatIp, ipFromBigInt, ipToBigInt, nextIp, previousIp } from '../../../src/address/ip.ts'
import { runHolding, runsOf } from '../../../src/ipam/run.ts'

const ROUNDS = 5000
const differences: string[] = []
let seed = 1

/** A linear congruential generator (Numerical Recipes, §7.1): repeats in every run. */
function randomByte(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed >>> 24
}

/** Random, or at the edges where 32 or 64 bits end. */
function randomAddress(length: 4 | 16): Uint8Array {
  const tail = [randomByte, () => 0, () => 255][randomByte() % 3]!
  return Uint8Array.from({ length }, (_, i) => (i < length / 2 ? randomByte() : tail()))
}

for (let round = 0; round < ROUNDS; round++) {
  const a = randomAddress(round % 4 === 0 ? 4 : 16)
  const b = round % 3 === 0 ? nextIp(a) : randomAddress(a.length as 4 | 16)
  const family = familyOf(a)
  const [x, y] = [ipToBigInt(a), ipToBigInt(b)]
  const same = (value: bigint, ip: Uint8Array) => compareIp(ipFromBigInt(value, family), ip) === 0
  const claims = {
    'there and back': same(x, a),
    order: Math.sign(compareIp(a, b)) === (x < y ? -1 : x > y ? 1 : 0),
    next: a.every((byte) => byte === 255) || same(x + 1n, nextIp(a)),
    previous: a.every((byte) => byte === 0) || same(x - 1n, previousIp(a)),
    difference: same(x - y + y, a),
    runs: [x, x + 1n, x + 5n, y].every((each) => runHolding(runsOf([x + 5n, y, x, x + 1n]), each)),
  }
  for (const [claim, holds] of Object.entries(claims)) {
    if (!holds) differences.push(`${claim}: ${formatIp(a)} ${formatIp(b)}`)
  }
}

const output = sys.encode(`${ROUNDS} rounds\n${differences.slice(0, 20).join('\n')}`)
sys.write(1, output, output.length)
sys.exit(0)
