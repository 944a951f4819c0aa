/** Rules are plain values, but for filters, which are the same when they are the same object. */

/** Whether all members are the same. */
export function sameRules(a: object, b: object): boolean {
  const others = new Map(Object.entries(b))
  return Object.entries(a).every(([name, value]) => sameValue(value, others.get(name)))
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => each === b[i])
  return isPlain(a) && isPlain(b) && sameRules(a, b)
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
