/** Names that somebody may have meant. */

/** Letters that may differ in a name of this length. */
const allowance = ({ length }: string) => Math.max(1, Math.floor(length / 3))

/** `"n3" is not …; did you mean "n2"? (n1, n2)`: the end of that sentence. */
export function didYouMean(wrong: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  const near = nearest(wrong, names)
  return `${near === undefined ? ';' : `; did you mean "${near}"?`} (${names.join(', ')})`
}

/** undefined: none is near. */
export function nearest(wrong: string, names: readonly string[]): string | undefined {
  return names
    .map((name) => ({ name, distance: distance(wrong, name) }))
    .filter(({ distance }) => distance <= allowance(wrong))
    .sort((a, b) => a.distance - b.distance)[0]?.name
}

/** Letters to insert, delete, exchange or swap with their neighbour: Damerau's distance, of neighbours once swapped. */
export function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const exchange = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(exchange, rows[i - 1]![j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
      }
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
