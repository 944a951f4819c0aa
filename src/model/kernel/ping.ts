/** ping: one echo request, and the clock moves on until the answer has come. */
import type { EchoAnswer, EchoRequest } from '../../kernel/live.ts'
import type { Namespace } from '../namespace.ts'

export function ping({ model, sockets }: Namespace, destination: string, request: EchoRequest = {}): EchoAnswer {
  let answer: EchoAnswer | undefined
  sockets.ping(destination, request, (heard) => {
    answer = heard
  })
  // Its own timer ends it at the latest.
  model.runUntil(() => answer !== undefined, Number.POSITIVE_INFINITY)
  return answer ?? { outcome: 'timeout' }
}
