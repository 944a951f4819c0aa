/**
 * The application of the golden walks: a client connects, sends `x`, reads to the end and closes; the server reads what
 * it was promised, answers `y`, and closes first. test/golden/README.md, "The application".
 */
import type { LiveKernel, Subscription } from '../kernel/live.ts'
import type { TcpConnection } from '../kernel/socket.ts'
import type { ApplicationSpec } from './question.ts'

const encoder = new TextEncoder()

export function serve(kernel: LiveKernel, { port, reads, answers }: ApplicationSpec['server']): Subscription {
  return kernel.sockets.listenTcp({ port }, () => {
    let received = 0
    return {
      data(connection, bytes) {
        received += bytes.length
        if (received < reads) return
        connection.write(encoder.encode('y'.repeat(answers)))
        connection.end()
      },
    }
  })
}

export interface Client {
  /** What the client prints; undefined while it is at it. */
  readonly result: string | undefined
  /** Gives up: what happens after the time without progress. */
  giveUp(): void
  /** Calls that brought it on: none for long enough means giving up. */
  readonly progress: number
  /** Nothing more is sent: the recording is over. */
  close(): void
}

/** `address:port`, or `[address]:port`. */
export function parseEndpoint(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':')
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

export function connect(kernel: LiveKernel, { to, sends }: ApplicationSpec['client']): Client {
  let result: string | undefined
  let received = 0
  let progress = 0
  let connection: TcpConnection | undefined
  try {
    connection = kernel.sockets.connectTcp(parseEndpoint(to), {
      established(made) {
        progress++
        made.write(encoder.encode('x'.repeat(sends)))
      },
      data(_, bytes) {
        progress++
        received += bytes.length
      },
      end(made) {
        result ??= `CLIENT ok ${received}`
        made.end()
      },
      closed(_, errno) {
        if (errno) result ??= `CLIENT ${describe(errno)}`
      },
    })
  } catch (error) {
    result = `CLIENT ${describe((error as { errno?: string }).errno ?? String(error))}`
  }
  return {
    get result() {
      return result
    },
    get progress() {
      return progress
    },
    giveUp() {
      result ??= 'CLIENT TimeoutError timed out'
      connection?.end()
    },
    close() {
      connection?.abort()
    },
  }
}

/** As Python's exceptions say it. */
function describe(errno: string): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'ConnectionRefusedError [Errno 111] Connection refused',
    ECONNRESET: 'ConnectionResetError [Errno 104] Connection reset by peer',
    EHOSTUNREACH: 'OSError [Errno 113] No route to host',
    ENETUNREACH: 'OSError [Errno 101] Network is unreachable',
    ETIMEDOUT: 'TimeoutError [Errno 110] Connection timed out',
  }
  return known[errno] ?? errno
}
