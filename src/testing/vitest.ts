/**
 * Matchers for traces. Imported once, in a test or a set-up file:
 *
 *      import 'overlab/vitest'
 *      expect(web.tcp('api-0', 8080)).toBeDelivered()
 *      expect(web.tcp('api-0', 8080)).toBeDroppedAt('n1/flannel.1', 'NO_TX_TARGET')
 *
 * When they fail, the message is the trace.
 */
import { expect } from 'vitest'
import { formatWhere, type TraceDocument } from '../trace/document.ts'
import { formatTrace } from '../trace/text.ts'

interface TraceMatchers<R = unknown> {
  /** The packet and its answer came to where they were going. */
  toBeDelivered(): R
  /** The packet, or its answer, was dropped at `place` (`n1/flannel.1`), for `reason` where that is given. */
  toBeDroppedAt(place: string, reason?: string): R
}

declare module 'vitest' {
  interface Matchers<T> extends TraceMatchers<T> {}
}

expect.extend({
  toBeDelivered(received: unknown) {
    const trace = requireTrace(received)
    return {
      pass: trace.result.disposition === 'delivered',
      message: () => `expected the packet ${this.isNot ? 'not ' : ''}to be delivered\n\n${textOf(trace)}`,
    }
  },
  toBeDroppedAt(received: unknown, place: string, reason?: string) {
    const trace = requireTrace(received)
    const { disposition, at, reason: found } = trace.result
    const pass =
      disposition === 'dropped' &&
      at !== undefined &&
      formatWhere(at) === place &&
      (reason === undefined || found === reason)
    const because = reason === undefined ? '' : ` with ${reason}`
    return {
      pass,
      message: () =>
        `expected the packet ${this.isNot ? 'not ' : ''}to be dropped at ${place}${because}\n\n${textOf(trace)}`,
    }
  },
})

/** A promise, or anything else than a trace, would otherwise pass for a packet that was not delivered. */
function requireTrace(received: unknown): TraceDocument {
  if (typeof received === 'object' && received !== null && 'steps' in received && 'result' in received) {
    return received as TraceDocument
  }
  throw new TypeError('Cannot look at what is no trace: give what icmp(), tcp() or udp() of a lab answered')
}

const textOf = (trace: TraceDocument) => formatTrace(trace, { verbose: false, hex: false, colour: false })
