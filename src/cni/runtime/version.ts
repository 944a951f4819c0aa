/** Order of the specification's versions. */
import { invalid } from '../errors.ts'

/** Negative, zero or positive, as versions sort. Up to three numbers; what is left out is 0. CniError for anything else. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)]
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return left[i]! - right[i]!
  return 0
}

function parseVersion(text: string): number[] {
  const parts = text.split('.')
  if (parts.length > 3 || !parts.every((part) => /^[0-9]+$/.test(part))) {
    throw invalid(`Cannot compare versions: "${text}" is not of the form 1.1.0`)
  }
  return [0, 1, 2].map((i) => Number(parts[i] ?? 0))
}
