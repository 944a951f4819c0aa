/** One question that a trace asks by a real packet: an echo, a datagram, or a connection that carries more than one segment. */
import type { LiveKernel } from '../kernel/live.ts'
import type { Machine } from './machine.ts'

export interface ProbeSpec {
  readonly protocol: 'icmp' | 'tcp' | 'udp'
  /** Of TCP and UDP. */
  readonly port: number
}

export type ProbeAnswer =
  | { readonly outcome: 'answered' }
  /** RST, or ICMP port unreachable. */
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'failed'; readonly errno: string }
  /** TCP: whether the handshake was done, and it was the data that did not come back. */
  | { readonly outcome: 'silent'; readonly connected: boolean }

/** Milliseconds. A dead neighbour is told of after 3.06 s. */
const TIMEOUT = 5000

/**
 * Bytes that a connection carries there and back. More than a segment of any common link, so that a path which loses large
 * packets is found out.
 */
const CONNECTION_BYTES = 3000

export async function probe(
  from: LiveKernel,
  address: string,
  spec: ProbeSpec,
  machine: Machine,
): Promise<ProbeAnswer> {
  if (spec.protocol === 'icmp') return probeIcmp(from, address)
  return spec.protocol === 'udp'
    ? probeUdp(from, address, spec.port, machine)
    : probeTcp(from, address, spec.port, machine)
}

async function probeIcmp(from: LiveKernel, address: string): Promise<ProbeAnswer> {
  const answer = await from.ping(address, { timeout: TIMEOUT })
  switch (answer.outcome) {
    case 'reply':
      return { outcome: 'answered' }
    case 'refused':
      return { outcome: 'failed', errno: answer.errno }
    case 'error':
      return { outcome: 'failed', errno: `ICMP ${answer.type}/${answer.code} from ${answer.from}` }
    case 'timeout':
      return { outcome: 'silent', connected: false }
  }
}

async function probeUdp(
  { sockets }: LiveKernel,
  address: string,
  port: number,
  machine: Machine,
): Promise<ProbeAnswer> {
  let answer: ProbeAnswer | undefined
  const socket = sockets.bindUdp(
    {},
    {
      datagram: () => {
        answer ??= { outcome: 'answered' }
      },
      error: ({ errno }) => {
        answer ??= errno === 'ECONNREFUSED' ? { outcome: 'refused' } : { outcome: 'failed', errno }
      },
    },
  )
  try {
    socket.send({ address, port }, Uint8Array.of(0x78))
  } catch (error) {
    answer = { outcome: 'failed', errno: errnoOf(error) }
  }
  await machine.until(() => answer !== undefined, TIMEOUT)
  socket.close()
  return answer ?? { outcome: 'silent', connected: false }
}

async function probeTcp(
  { sockets }: LiveKernel,
  address: string,
  port: number,
  machine: Machine,
): Promise<ProbeAnswer> {
  let answer: ProbeAnswer | undefined
  let connected = false
  let received = 0
  try {
    const connection = sockets.connectTcp(
      { address, port },
      {
        established(made) {
          connected = true
          made.write(new Uint8Array(CONNECTION_BYTES).fill(0x78))
        },
        data(_, bytes) {
          received += bytes.length
          if (received >= CONNECTION_BYTES) answer ??= { outcome: 'answered' }
        },
        end(made) {
          // Whoever is there may say something else than what it was sent, and hang up: it has been reached.
          answer ??= { outcome: 'answered' }
          made.end()
        },
        closed(_, errno) {
          if (errno === 'ECONNREFUSED') answer ??= { outcome: 'refused' }
          else if (errno) answer ??= { outcome: 'failed', errno }
        },
      },
    )
    await machine.until(() => answer !== undefined, TIMEOUT)
    connection.abort()
  } catch (error) {
    answer = { outcome: 'failed', errno: errnoOf(error) }
  }
  return answer ?? { outcome: 'silent', connected }
}

function errnoOf(error: unknown): string {
  if (error instanceof Error && 'errno' in error) return String(error.errno)
  throw error
}
