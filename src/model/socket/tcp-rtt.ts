/** How long an answer takes, and how long to wait for one: RFC 6298 as tcp_rtt_estimator and tcp_set_rto have it. */
import { type Microseconds, SECOND } from '../clock.ts'

/** TCP_TIMEOUT_INIT. */
const INITIAL = SECOND

export interface TimeoutBounds {
  readonly least: Microseconds
  readonly most: Microseconds
}

export class RoundTrip {
  readonly #bounds: TimeoutBounds
  #smoothed: Microseconds | undefined = undefined
  #variation: Microseconds = 0
  #timeout: Microseconds = INITIAL

  constructor(bounds: TimeoutBounds) {
    this.#bounds = bounds
  }

  /** RTO. */
  get timeout(): Microseconds {
    return this.#timeout
  }

  measured(sample: Microseconds): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = sample
      this.#variation = sample * 2
    } else {
      const error = sample - this.#smoothed
      this.#variation += Math.abs(error) - this.#variation / 4
      this.#smoothed += error / 8
    }
    this.restore()
  }

  /** The timeout without the doublings: something was heard. */
  restore(): void {
    if (this.#smoothed === undefined) return
    const { least, most } = this.#bounds
    this.#timeout = Math.min(this.#smoothed + Math.max(this.#variation, least), most)
  }

  /** Nothing was heard: twice as long the next time. */
  double(): void {
    this.#timeout = Math.min(this.#timeout * 2, this.#bounds.most)
  }
}

/** How long so many retransmissions take: tcp_model_timeout, to which tcp_retries2 is turned. */
export function timeoutAfter(retries: number, { least, most }: TimeoutBounds): Microseconds {
  const doublings = Math.floor(Math.log2(most / least))
  const exponential = (2 ** (Math.min(retries, doublings) + 1) - 1) * least
  return exponential + Math.max(0, retries - doublings) * most
}
