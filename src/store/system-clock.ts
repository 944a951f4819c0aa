/** The machine's time. */
import type { Clock, WallClock } from './clock.ts'

/** What setTimeout can wait for: 2³¹ − 1 ms, some 24 days. */
const LONGEST = 0x7fff_ffff

export const systemClock: WallClock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),

  after(milliseconds, run) {
    // setTimeout would wait for a millisecond.
    if (milliseconds <= 0) {
      const immediate = setImmediate(run)
      return () => clearImmediate(immediate)
    }
    let timer: ReturnType<typeof setTimeout>
    const wait = (rest: number) => {
      timer = setTimeout(() => (rest > LONGEST ? wait(rest - LONGEST) : run()), Math.min(rest, LONGEST))
    }
    wait(milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Milliseconds since the epoch as it was at the start: a step of the wall clock is none of its own. */
export const steadyClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: systemClock.after,
}
