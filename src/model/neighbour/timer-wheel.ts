/**
 * The kernel's timers run late: a delay is counted in ticks, and the longer it is, the coarser the slots that it is rounded
 * up to. Source: calc_index, kernel/time/timer.c. Three tries, one second apart, end after 3.06 s, not 3.
 */
import type { Microseconds } from '../clock.ts'

/** CONFIG_HZ of Debian's and most other distributions' kernels. */
const HZ = 250
const TICK: Microseconds = 1_000_000 / HZ

const LEVELS = 9
const SLOTS = 64

/** How long it really takes until a timer set now to run in `delay` runs. */
export function timerDelay(now: Microseconds, delay: Microseconds): Microseconds {
  const start = Math.floor(now / TICK)
  const ticks = Math.max(0, Math.ceil(delay / TICK))
  let level = 0
  // Level n holds what is nearer than 63 · 8ⁿ ticks.
  while (level < LEVELS - 1 && ticks >= (SLOTS - 1) << (3 * level)) level++
  const granularity = 1 << (3 * level)
  const expires = (Math.floor((start + ticks) / granularity) + 1) * granularity
  return expires * TICK - now
}
