/** The part of a result that people act on. */
import type { TraceResult } from './document.ts'
import type { Fix } from './explain/loss.ts'

/** Commands for the place where the packet was lost; those for another place say so. */
export function fixesOf(fixes: readonly Fix[], place: string): Pick<TraceResult, 'fix'> {
  if (fixes.length === 0) return {}
  return { fix: fixes.map(({ node, run }) => (node === place ? run : `overlab lab exec ${node} -- ${run}`)) }
}
