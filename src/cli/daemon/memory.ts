/**
 * Gives memory back when a burst of work is over. V8 lets garbage lie until much more has come, and a daemon may have nothing
 * to do for hours then. What it costs, some tens of milliseconds, is spent where nobody waits.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { live } from '../../linux/sys.live.ts'

/** Milliseconds without work after which it is over, and from the first work on at most. */
const QUIET = 1000
const LONGEST = 10_000
/** Bytes more than there were after the last time, or it is not worth it: a pod's link that came up leaves little. */
const WORTH = 4 << 20

type Collect = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void

/** To be called whenever there has been work. `longest`: Infinity where whoever works must not wait for it. */
export function memoryGiver(longest = LONGEST): () => void {
  setFlagsFromString('--expose-gc') // for contexts that are made from now on
  const collect: Collect = runInNewContext('gc')
  let kept = 0
  let first: number | undefined
  let timer: NodeJS.Timeout | undefined
  return () => {
    const now = performance.now()
    first ??= now
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        first = undefined
        if (usedMemory() < kept + WORTH) return
        // Pages that are empty go back to the system, too: V8's, and then those of what V8 and libuv had from malloc.
        collect({ type: 'major', flavor: 'last-resort' })
        live.trimMemory()
        kept = usedMemory()
      },
      Math.max(0, Math.min(QUIET, first + longest - now)),
    ).unref()
  }
}

/** Bytes, garbage and all. */
function usedMemory(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}
