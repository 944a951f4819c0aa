/** The part of a result that people act on. */
import type { TraceResult } from './document.ts'
import type { Fix } from './explain/loss.ts'

/** Commands for the place where the packet was lost; one for another place of the lab says so, and can be typed anywhere. */
export function fixesOf(fixes: readonly Fix[], place: string, lab: string): Pick<TraceResult, 'fix'> {
  if (fixes.length === 0) return {}
  return {
    fix: fixes.map(({ node, run }) => (node === place ? run : `overlab lab exec --name ${lab} ${node} -- ${run}`)),
  }
}
