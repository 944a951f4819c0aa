/**
 * ping(8) of iputils 20221126: echo requests, one an interval, and what comes back.
 *
 * Requests go out at their times whether answers come or not; after the last, ping waits for what is still missing. Where
 * the kernel's clock is virtual, all of it passes in no time.
 */
import { type Family, familyOf, formatIp, parseIp } from '../address/ip.ts'
import { readPrefix } from '../address/prefix.ts'
import { KernelError } from '../kernel/errors.ts'
import type { EchoAnswer, EchoRequest } from '../kernel/live.ts'
import { readAddress } from './arguments.ts'
import type { Command, Context } from './command.ts'
import { errnoText } from './errno-text.ts'
import { Exit, ending, type Streams } from './exit.ts'
import { describeError } from './ping-errors.ts'
import { type PingOptions, readPingOptions } from './ping-options.ts'

/** MAXWAIT: seconds for an answer where none has come yet. */
const LONGEST_WAIT = 10
/** Answers are looked for this often, in milliseconds. */
const STEP = 10
/** The sender's time stands in the data where there is room for it: struct timeval. */
const STAMP_SIZE = 16
const ICMP_HEADER = 8
const IPV4_HEADER = 20

export const ping: Command = (argv, context) =>
  ending(
    (error) => new Exit(2, `ping: ${errnoText(error.errno)}`),
    (streams) => run(readPingOptions(argv), context, streams),
  )

interface Session {
  readonly options: PingOptions
  readonly to: string
  readonly family: Family
  readonly streams: Streams
  readonly identifier: number
  sent: number
  received: number
  errors: number
  /** Most requests that were under way when an answer came. */
  pipe: number
  open: number
  /** Round trips in microseconds. */
  readonly trips: number[]
  /** Answers that have come since the last look. */
  readonly heard: { readonly sequence: number; readonly answer: EchoAnswer }[]
}

async function run(options: PingOptions, context: Context, streams: Streams): Promise<number> {
  const to = resolve(options)
  const family = familyOf(parseIp(to))
  // ping draws it at random; the clock is as good where two are seldom under way.
  const identifier = Math.floor(context.now()) & 0xffff
  const session: Session = {
    options,
    to,
    family,
    streams,
    identifier,
    sent: 0,
    received: 0,
    errors: 0,
    pipe: 0,
    open: 0,
    trips: [],
    heard: [],
  }
  connect(context, session)
  streams.stdout += title(session)
  const start = context.now()
  const deadline = options.deadline === undefined ? Number.POSITIVE_INFINITY : start + options.deadline * 1000
  let last = start
  while (session.sent < options.count && context.now() < deadline) {
    const next = Math.min(start + session.sent * options.interval * 1000, deadline)
    while (context.now() < next) await step(context, session, next)
    if (context.now() >= deadline || isDone(session)) break
    last = context.now()
    send(context, session)
  }
  const wait = session.received > 0 ? longestWait(session) : (options.timeout ?? LONGEST_WAIT) * 1000
  const end = Math.min(context.now() + wait, deadline)
  while (session.open > 0 && context.now() < end && !isDone(session)) {
    await step(context, session, end)
  }
  streams.stdout += statistics(session, last - start)
  if (session.received === 0) return 1
  return options.deadline !== undefined && session.received < options.count ? 1 : 0
}

/** As many answers as requests were wanted. */
function isDone({ options, received, errors }: Session): boolean {
  return received + errors >= options.count
}

/** Twice the longest round trip, and an interval at least. */
function longestWait({ options, trips }: Session): number {
  return Math.max((2 * Math.max(0, ...trips)) / 1000, options.interval * 1000)
}

async function step(context: Context, session: Session, until: number): Promise<void> {
  await context.sleep(Math.min(STEP, until - context.now()))
  look(context, session)
}

function resolve({ destination, family }: PingOptions): string {
  const address = readAddress(readShort(destination))
  if (!address) throw new Exit(2, `ping: ${destination}: Temporary failure in name resolution`)
  if (family && address.family !== family) {
    throw new Exit(2, `ping: ${destination}: Address family for hostname not supported`)
  }
  return formatIp(parseIp(address.address))
}

/** As inet_aton(3): of an IPv4 address cut short, the last part stands for all that is missing. `127.1` is 127.0.0.1. */
function readShort(text: string): string {
  const parts = text.split('.')
  const last = Number(parts.at(-1))
  if (parts.length > 3 || !/^[0-9.]+$/.test(text) || last >= 256 ** (5 - parts.length)) return text
  const bytes = Array.from(
    { length: 5 - parts.length },
    (_, i) => Math.floor(last / 256 ** (4 - parts.length - i)) % 256,
  )
  return [...parts.slice(0, -1), ...bytes].join('.')
}

/** ping connects a socket first, to learn its own address: what has no route ends here. */
function connect({ kernel }: Context, { to, options }: Session): void {
  if (options.source !== undefined) {
    const ours = kernel.addresses.list().some(({ prefix }) => sameAddress(prefix, options.source!))
    if (!ours) throw new Exit(2, 'ping: bind: Cannot assign requested address')
  }
  let route: ReturnType<typeof kernel.routes.lookup>
  try {
    route = kernel.routes.lookup(to, options.source === undefined ? {} : { source: options.source })
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
    throw new Exit(2, error.errno === 'EACCES' ? BROADCAST : `ping: connect: ${errnoText(error.errno)}`)
  }
  if (!route) throw new Exit(2, 'ping: connect: Network is unreachable')
  if (route.type === 'broadcast') throw new Exit(2, BROADCAST)
}

const BROADCAST = 'ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules'

function sameAddress(prefix: string, address: string): boolean {
  const parsed = readPrefix(prefix)
  return parsed !== undefined && formatIp(parsed.address) === address
}

function title({ options, to, family }: Session): string {
  const { destination, size, source } = options
  const from = source === undefined ? '' : ` from ${source} :`
  if (family === 'ipv6') return `PING ${destination}(${to})${from} ${size} data bytes\n`
  return `PING ${destination} (${to})${from} ${size}(${size + ICMP_HEADER + IPV4_HEADER}) bytes of data.\n`
}

function send(context: Context, session: Session): void {
  const { options, to } = session
  const sequence = ++session.sent
  session.open++
  const request: EchoRequest = {
    size: options.size,
    sequence,
    identifier: session.identifier,
    timeout: longestTimeout(session, sequence),
    ...(options.source !== undefined && { source: options.source }),
    ...(options.ttl !== undefined && { ttl: options.ttl }),
    ...(options.dontFragment && { dontFragment: true }),
  }
  context.kernel.sendPing(to, request, (answer) => {
    session.open--
    session.heard.push({ sequence, answer })
  })
  look(context, session)
}

/** What came together is told in the order of the requests. */
function look(context: Context, session: Session): void {
  const heard = session.heard.splice(0).sort((a, b) => a.sequence - b.sequence)
  for (const { sequence, answer } of heard) hear(context, session, sequence, answer)
}

/** Until ping has ended in any case. Milliseconds. */
function longestTimeout({ options }: Session, sequence: number): number {
  const { count, interval, timeout = LONGEST_WAIT, deadline = Number.POSITIVE_INFINITY } = options
  return Math.min((count - sequence) * interval + timeout, deadline) * 1000
}

function hear(context: Context, session: Session, sequence: number, answer: EchoAnswer): void {
  const { options, streams } = session
  const say = (text: string) => {
    if (!options.quiet) streams.stdout += `${text}\n`
  }
  switch (answer.outcome) {
    case 'reply':
      session.received++
      acknowledge(session, sequence)
      session.trips.push(Math.round(answer.milliseconds * 1000))
      say(replyLine(session, sequence, answer.from, answer.ttl, session.trips.at(-1)!))
      return
    case 'error':
      session.errors++
      acknowledge(session, sequence)
      say(`From ${answer.from} icmp_seq=${sequence} ${describeError(session.family, answer)}`)
      return
    case 'refused':
      refused(context, session, answer.errno)
      return
    default:
  }
}

function acknowledge(session: Session, sequence: number): void {
  session.pipe = Math.max(session.pipe, session.sent - sequence + 1)
}

function refused({ kernel }: Context, session: Session, errno: string): void {
  const { streams, family, to, options } = session
  if (errno === 'EMSGSIZE' && options.dontFragment) {
    session.errors++
    acknowledge(session, session.sent)
    if (options.quiet) return
    const route = kernel.routes.lookup(to)
    const mtu = route?.metrics?.mtu ?? kernel.links.get(route?.link ?? '')?.mtu ?? 0
    streams.stderr += `ping: local error: message too long, mtu${family === 'ipv4' ? '=' : ': '}${mtu}\n`
    return
  }
  streams.stderr += `ping: sendmsg: ${errnoText(errno)}\n`
}

function replyLine({ options }: Session, sequence: number, from: string, ttl: number, trip: number): string {
  const time = options.size >= STAMP_SIZE ? ` time=${milliseconds(trip)} ms` : ''
  return `${options.size + ICMP_HEADER} bytes from ${from}: icmp_seq=${sequence} ttl=${ttl}${time}`
}

/** Three digits of microseconds; the more the longer it took, the fewer. */
function milliseconds(trip: number): string {
  if (trip >= 100_000 - 50) return `${Math.floor((trip + 500) / 1000)}`
  if (trip >= 10_000 - 5) return (Math.floor((trip + 50) / 100) / 10).toFixed(1)
  if (trip >= 1000) return (Math.floor((trip + 5) / 10) / 100).toFixed(2)
  return (trip / 1000).toFixed(3)
}

function statistics(session: Session, time: number): string {
  const { options, sent, received, errors, pipe, trips } = session
  const lost = Number((((sent - received) * 100) / sent).toPrecision(6))
  const counts = [
    `${sent} packets transmitted`,
    `${received} received`,
    ...(errors > 0 ? [`+${errors} errors`] : []),
    ...(sent > 0 ? [`${lost}% packet loss`, `time ${Math.floor(time)}ms`] : []),
  ]
  const ends = [
    ...(received > 0 && options.size >= STAMP_SIZE ? [`rtt min/avg/max/mdev = ${roundTrips(trips)} ms`] : []),
    ...(pipe > 1 ? [`pipe ${pipe}`] : []),
  ]
  return `\n--- ${options.destination} ping statistics ---\n${counts.join(', ')}\n${ends.join(', ')}\n`
}

function roundTrips(trips: readonly number[]): string {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const average = Math.floor(sum(trips) / trips.length)
  const variance = Math.floor(sum(trips.map((trip) => trip * trip)) / trips.length) - average * average
  const deviation = Math.floor(Math.sqrt(Math.max(0, variance)))
  return [Math.min(...trips), average, Math.max(...trips), deviation].map((it) => (it / 1000).toFixed(3)).join('/')
}
