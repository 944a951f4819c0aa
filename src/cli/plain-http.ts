/**
 * A question by HTTP to a port of another network namespace: Node's own client makes its sockets where it pleases. HTTP/1.0, so
 * that the end of the answer is the end of the connection: RFC 1945.
 */

import { KernelError } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Endpoint } from '../kernel/socket.ts'

export interface Answer {
  readonly status: number
  readonly body: string
}

/** Milliseconds. */
const TIMEOUT = 2000

/** Undefined when nobody answers there. */
export function request({ sockets }: LiveKernel, to: Endpoint, path: string): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const received: Uint8Array[] = []
    const finish = (answer: Answer | undefined) => {
      clearTimeout(timer)
      resolve(answer)
    }
    const timer = setTimeout(() => finish(undefined), TIMEOUT)
    try {
      const connection = sockets.connectTcp(to, {
        data: (_, bytes) => received.push(bytes),
        end: (connection) => {
          connection.end()
          finish(parse(Buffer.concat(received).toString()))
        },
        closed: (_, errno) => {
          if (errno !== undefined) finish(undefined)
        },
      })
      connection.write(Buffer.from(`GET ${path} HTTP/1.0\r\nHost: ${to.address}\r\n\r\n`))
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      finish(undefined)
    }
  })
}

function parse(text: string): Answer | undefined {
  const [, status] = /^HTTP\/1\.\d (\d{3})/.exec(text) ?? []
  const head = text.indexOf('\r\n\r\n')
  return status === undefined || head < 0 ? undefined : { status: Number(status), body: text.slice(head + 4) }
}
