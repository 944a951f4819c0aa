/** Time as an argument: of this machine (system-clock.ts), of a model, or of a test. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `run` once, when so many milliseconds have passed. Answers what cancels it. */
  after(milliseconds: number, run: () => void): () => void
}
