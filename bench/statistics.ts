/** Figures of many runs, and what is said about them. */

export interface Comparison {
  /** Medians and minima of both sides, milliseconds. */
  readonly ours: Figures
  readonly theirs: Figures
  /** Median of the ratios of pairs: what a busy machine does to one of a pair it does to the other. */
  readonly ratio: number
  /** Ratio of the minima. */
  readonly ratioOfMinima: number
}

export interface Figures {
  readonly median: number
  readonly minimum: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function figures(values: readonly number[]): Figures {
  return { median: median(values), minimum: Math.min(...values) }
}

/** The values of both sides, pair by pair. */
export function compare(ours: readonly number[], theirs: readonly number[]): Comparison {
  const ratios = ours.map((value, pair) => value / theirs[pair]!)
  const [a, b] = [figures(ours), figures(theirs)]
  return { ours: a, theirs: b, ratio: median(ratios), ratioOfMinima: a.minimum / b.minimum }
}

/** Of several runs of the same comparison, the one whose ratio is in the middle. */
export function medianRun(runs: readonly Comparison[]): Comparison {
  return [...runs].sort((a, b) => a.ratio - b.ratio)[Math.floor((runs.length - 1) / 2)]!
}
