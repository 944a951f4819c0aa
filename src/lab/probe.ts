/**
 * One question that a trace asks by real packets: an echo, a datagram, or a connection that carries more than one segment.
 * It is begun here and answered by callbacks; who waits, and by which clock, is the engine's.
 */
import type { EchoAnswer, EchoRequest, LiveKernel } from '../kernel/live.ts'

export interface ProbeSpec {
  readonly protocol: 'icmp' | 'tcp' | 'udp'
  /** Of TCP and UDP. */
  readonly port: number
  /** No more than finds out whether somebody answers: of TCP the handshake. A path's MTU stays unknown. */
  readonly light?: true
  /** Bytes that an echo or datagram carries; of a connection, there and back. */
  readonly size?: number
  readonly ttl?: number
  /** Of an echo. */
  readonly dontFragment?: boolean
}

export type ProbeAnswer =
  | { readonly outcome: 'answered' }
  /** RST, or ICMP port unreachable. */
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'failed'; readonly errno: string }
  /** TCP: whether the handshake was done, and it was the data that did not come back. */
  | { readonly outcome: 'silent'; readonly connected: boolean }

/** Milliseconds that a probe is waited for. A dead neighbour is told of after 3.06 s. */
export const PROBE_TIMEOUT = 5000

/**
 * Bytes that a connection carries there and back. More than a segment of any common link, so that a path which loses large
 * packets is found out.
 */
const CONNECTION_BYTES = 3000

export interface Probe {
  /** Undefined while it is waited for. */
  readonly answer: ProbeAnswer | undefined
  /** Gives up its socket, and answers what is known by now. */
  end(): ProbeAnswer
}

/** LiveKernel.ping with a callback. */
export type Echo = (destination: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void) => void

export function startProbe(from: LiveKernel, address: string, spec: ProbeSpec, echo: Echo): Probe {
  const { protocol, port, light = false } = spec
  const asked = light ? { protocol, port } : spec
  try {
    if (protocol === 'icmp') return startEcho(address, asked, echo)
    return protocol === 'udp' ? startDatagram(from, address, asked) : startConnection(from, address, asked, light)
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error)) throw error
    return finished({ outcome: 'failed', errno: String(error.errno) })
  }
}

function startEcho(address: string, { size, ttl, dontFragment }: ProbeSpec, echo: Echo): Probe {
  let answer: ProbeAnswer | undefined
  const request = {
    timeout: PROBE_TIMEOUT,
    ...(size !== undefined && { size }),
    ...(ttl !== undefined && { ttl }),
    ...(dontFragment !== undefined && { dontFragment }),
  }
  echo(address, request, (heard) => {
    answer = answerOf(heard)
  })
  return {
    get answer() {
      return answer
    },
    end: () => answer ?? SILENT,
  }
}

function answerOf(heard: EchoAnswer): ProbeAnswer {
  switch (heard.outcome) {
    case 'reply':
      return { outcome: 'answered' }
    case 'refused':
      return { outcome: 'failed', errno: heard.errno }
    case 'error':
      return { outcome: 'failed', errno: `ICMP ${heard.type}/${heard.code} from ${heard.from}` }
    case 'timeout':
      return SILENT
  }
}

function startDatagram({ sockets }: LiveKernel, address: string, { port, size = 1, ttl }: ProbeSpec): Probe {
  let answer: ProbeAnswer | undefined
  const socket = sockets.bindUdp(ttl === undefined ? {} : { options: { ttl } }, {
    datagram: () => {
      answer ??= { outcome: 'answered' }
    },
    error: ({ errno }) => {
      answer ??= errno === 'ECONNREFUSED' ? { outcome: 'refused' } : { outcome: 'failed', errno }
    },
  })
  try {
    socket.send({ address, port }, new Uint8Array(size).fill(0x78))
  } catch (error) {
    socket.close()
    throw error
  }
  return {
    get answer() {
      return answer
    },
    end() {
      socket.close()
      return answer ?? SILENT
    },
  }
}

function startConnection({ sockets }: LiveKernel, address: string, spec: ProbeSpec, light: boolean): Probe {
  const { port, size = CONNECTION_BYTES, ttl } = spec
  let answer: ProbeAnswer | undefined
  let connected = false
  let received = 0
  const connection = sockets.connectTcp(
    { address, port, ...(ttl !== undefined && { options: { ttl } }) },
    {
      established(made) {
        connected = true
        if (light) answer ??= { outcome: 'answered' }
        else made.write(new Uint8Array(size).fill(0x78))
      },
      data(_, bytes) {
        received += bytes.length
        if (received >= size) answer ??= { outcome: 'answered' }
      },
      // Whoever is there may say something else than what it was sent, and hang up: it has been reached.
      end(made) {
        answer ??= { outcome: 'answered' }
        made.end()
      },
      closed(_, errno) {
        if (errno === 'ECONNREFUSED') answer ??= { outcome: 'refused' }
        else if (errno) answer ??= { outcome: 'failed', errno }
      },
    },
  )
  return {
    get answer() {
      return answer
    },
    end() {
      connection.abort()
      return answer ?? { outcome: 'silent', connected }
    },
  }
}

const SILENT: ProbeAnswer = { outcome: 'silent', connected: false }

const finished = (answer: ProbeAnswer): Probe => ({ answer, end: () => answer })
