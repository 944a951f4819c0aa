/** Time as an argument: of this machine (system-clock.ts), of a model, or of a test. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `run` once, when so many milliseconds have passed. Answers what cancels it. */
  after(milliseconds: number, run: () => void): () => void
}

/** Whose `now` is the machine's time: it jumps when somebody sets it. */
export interface WallClock extends Clock {
  /** Milliseconds since some moment. It never jumps. */
  elapsed(): number
}
