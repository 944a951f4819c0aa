/**
 * Runs: addresses of one family that follow one another and are all taken. A sorted list of them says of ten thousand
 * reservations in a few words where the next free address is.
 */

/** Both ends included. */
export interface Run {
  readonly from: bigint
  readonly to: bigint
}

/** The runs that the addresses form, in ascending order. The addresses come in any order, and perhaps twice. */
export function runsOf(addresses: readonly bigint[]): Run[] {
  const runs: { from: bigint; to: bigint }[] = []
  let current: { from: bigint; to: bigint } | undefined
  for (const address of [...addresses].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))) {
    if (current && address <= current.to + 1n) {
      current.to = address
    } else {
      current = { from: address, to: address }
      runs.push(current)
    }
  }
  return runs
}

/** The run that holds the address. `runs` are in ascending order. */
export function runHolding(runs: readonly Run[], address: bigint): Run | undefined {
  let low = 0
  let high = runs.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const run = runs[middle]!
    if (address < run.from) high = middle - 1
    else if (address > run.to) low = middle + 1
    else return run
  }
  return undefined
}

/** What is left of the run once the address is free. */
export function withoutAddress<R extends Run>(run: R, address: bigint): R[] {
  if (address < run.from || address > run.to) return [run]
  const rest = [
    { ...run, to: address - 1n },
    { ...run, from: address + 1n },
  ]
  return rest.filter(({ from, to }) => from <= to)
}
