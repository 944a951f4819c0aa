/**
 * One connection to one of etcd's endpoints at a time; to the next one when it breaks.
 *
 * A connection counts when the server has answered that it has a leader. gRPC would repair connections by itself, with waits
 * of its own: here a broken one is thrown away, and whoever needs a connection makes one, so that there is one place that
 * waits (watch.ts) and every other call is answered soon.
 *
 * What was sent once and not answered is sent again only where twice does no harm.
 */
import { Client, type ClientDuplexStream, connectivityState, Metadata, type ServiceError } from '@grpc/grpc-js'
import { StoreError } from '../store.ts'
import { isBroken, isLate, isServiceError, isStaleToken, reasonOf, storeError } from './errors.ts'
import { authenticate, type Method, status as maintenanceStatus } from './messages.ts'
import { credentialsFor, type Endpoint, type EtcdSettings, parseEndpoints, serverName } from './settings.ts'

/** Milliseconds in which a connection must come about: long enough for a second SYN. */
const CONNECT_LIMIT = 2_000
/** … and in which a request must be answered. A busy etcd may need some seconds. */
const REQUEST_LIMIT = 5_000
/** Milliseconds until a connection that may be dead has to have answered. */
const PROOF_LIMIT = 1_000

const CHANNEL_OPTIONS = {
  'grpc.use_local_subchannel_pool': 1, // another channel's failures are not ours
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': -1, // a listing is one message
  'grpc.max_send_message_length': -1, // etcd says what it takes
  // While a watch is open a dead way is noticed within these two. etcd wants at least 5 s between pings, and an idle
  // process is to be left alone.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
}

interface Session {
  readonly client: Client
  readonly endpoint: Endpoint
  /** What goes with each call: a token too, where a user is given. */
  readonly metadata: Metadata
  readonly streams: Set<{ cancel(): void }>
  /** When it was heard last. */
  heard: number
}

export type Stream<Q, R> = ClientDuplexStream<Partial<Q>, R>

export class Connection {
  readonly name: string
  readonly #settings: EtcdSettings
  readonly #endpoints: readonly Endpoint[]
  /** Which endpoint is used, or comes next. */
  #at = 0
  #session: Session | undefined
  #connecting: Promise<Session> | undefined
  #isClosed = false

  constructor(settings: EtcdSettings) {
    this.#settings = settings
    this.#endpoints = parseEndpoints(settings)
    this.name = `etcd ${this.#endpoints.map(({ url }) => url).join(',')}`
  }

  /** `purpose`, for errors: `list "/a/"`. */
  async call<Q extends object, R extends object>(
    method: Method<Q, R>,
    request: Partial<Q>,
    purpose: string,
  ): Promise<R> {
    return this.#perform(method.isRepeatable, purpose, ({ client, metadata }) =>
      unary(client, method, request, metadata, REQUEST_LIMIT),
    )
  }

  /** The first answer of a stream to one request. */
  async callOnce<Q extends object, R extends object>(
    method: Method<Q, R>,
    request: Partial<Q>,
    purpose: string,
  ): Promise<R> {
    return this.#perform(method.isRepeatable, purpose, (session) => firstAnswer(session, method, request))
  }

  /** A stream, whose errors the caller handles. */
  async open<Q extends object, R extends object>(method: Method<Q, R>, purpose: string): Promise<Stream<Q, R>> {
    try {
      const session = await this.#connected()
      const { client, metadata, streams } = session
      const opened = stream(client, method, metadata)
      streams.add(opened)
      opened.on('data', () => {
        session.heard = performance.now()
      })
      opened.once('close', () => streams.delete(opened))
      return opened
    } catch (error) {
      throw this.#error(purpose, error)
    }
  }

  /** Drops a connection that does not answer at once: what lies below it may have changed. */
  prove(): void {
    const session = this.#session
    if (!session) return
    const began = performance.now()
    unary(session.client, maintenanceStatus, {}, new Metadata(), PROOF_LIMIT).catch((error) => {
      if (isBroken(error) && session.heard < began) this.#drop(session)
    })
  }

  close(): void {
    this.#isClosed = true
    if (this.#session) this.#drop(this.#session)
  }

  async #perform<R>(isRepeatable: boolean, purpose: string, send: (session: Session) => Promise<R>): Promise<R> {
    try {
      for (let attempt = 1; ; attempt++) {
        const session = await this.#connected()
        const began = performance.now()
        try {
          const answer = await send(session)
          session.heard = performance.now()
          return answer
        } catch (error) {
          const isStale = isStaleToken(error)
          // One that has answered others meanwhile is slow, not dead: a new connection would only be more work for etcd.
          if (isBroken(error) && !(isLate(error) && session.heard > began)) this.#drop(session)
          // Whom etcd does not recognise, it has not served.
          if (attempt > 1 || !(isStale || (isRepeatable && isBroken(error)))) throw error
          if (isStale) await this.#logIn(session)
        }
      }
    } catch (error) {
      throw this.#error(purpose, error)
    }
  }

  #error(purpose: string, error: unknown): StoreError {
    return storeError(`${purpose} in ${this.name}`, error)
  }

  /** The next call connects anew. */
  #drop(session: Session): void {
    if (this.#session === session) this.#session = undefined
    session.client.close()
    for (const each of session.streams) each.cancel() // gRPC would let them go on
  }

  #connected(): Promise<Session> {
    if (this.#isClosed) throw new StoreError('unavailable', `Cannot use ${this.name}: it is closed`)
    const session = this.#session
    if (session) {
      const state = session.client.getChannel().getConnectivityState(false)
      if (state === connectivityState.READY) return Promise.resolve(session)
      this.#drop(session)
    }
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  /** With the first endpoint that will have us, the last one that did so first. */
  async #connect(): Promise<Session> {
    const failures: { readonly endpoint: Endpoint; readonly error: unknown }[] = []
    for (const _ of this.#endpoints) {
      const endpoint = this.#endpoints[this.#at]!
      try {
        const session = await this.#connectTo(endpoint)
        if (this.#isClosed) session.client.close()
        else this.#session = session
        return session
      } catch (error) {
        failures.push({ endpoint, error })
        this.#at = (this.#at + 1) % this.#endpoints.length
      }
    }
    const errors = failures.map(({ endpoint, error }) => storeError(`reach etcd ${endpoint.url}`, error))
    if (errors.length === 1) throw errors[0]
    // One that only is away now may be there next time, and may say yes.
    const kind = errors.some((error) => error.kind === 'unavailable') ? 'unavailable' : 'refused'
    const reasons = failures.map(({ endpoint, error }) => `${endpoint.url}: ${reasonOf(error)}`)
    throw new StoreError(kind, `Cannot reach etcd: ${reasons.join('; ')}`, { cause: errors[0] })
  }

  async #connectTo(endpoint: Endpoint): Promise<Session> {
    const client = new Client(endpoint.target, credentialsFor(endpoint, this.#settings), {
      ...CHANNEL_OPTIONS,
      ...serverName(endpoint),
    })
    const metadata = new Metadata()
    metadata.set('hasleader', 'true') // etcd's WithRequireLeader
    const session = { client, endpoint, metadata, streams: new Set<{ cancel(): void }>(), heard: 0 }
    try {
      await requireSettled(client)
      await requireLeader(client)
      await this.#logIn(session)
      return session
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** Does nothing where no user is given, or etcd asks for none. */
  async #logIn({ client, endpoint, metadata }: Session): Promise<void> {
    const { username: name, password = '' } = this.#settings
    if (!name) return
    metadata.remove('token')
    try {
      const { token } = await unary(client, authenticate, { name, password }, metadata, REQUEST_LIMIT)
      metadata.set('token', token)
    } catch (error) {
      if (isServiceError(error) && error.details.includes('authentication is not enabled')) return
      throw storeError(`log in to etcd ${endpoint.url} as "${name}"`, error)
    }
  }
}

/** Until the connection stands, or has failed: then the first call says why. */
async function requireSettled(client: Client): Promise<void> {
  const channel = client.getChannel()
  const deadline = Date.now() + CONNECT_LIMIT
  for (;;) {
    const state = channel.getConnectivityState(true)
    if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE) return
    await new Promise<void>((resolve, reject) => {
      const late = new Error('it did not answer in time')
      channel.watchConnectivityState(state, deadline, (error) => (error ? reject(late) : resolve()))
    })
  }
}

async function requireLeader(client: Client): Promise<void> {
  const noLeader = 'it has no leader: more than half of its members are needed'
  try {
    const { leader } = await unary(client, maintenanceStatus, {}, new Metadata(), REQUEST_LIMIT)
    if (leader === 0n) throw new Error(noLeader)
  } catch (error) {
    // A proxy, or an etcd that tells its status to nobody, is there all the same.
    if (isBroken(error)) throw error
  }
}

function unary<Q extends object, R extends object>(
  client: Client,
  { path, request: encoder, response: decoder }: Method<Q, R>,
  request: Partial<Q>,
  metadata: Metadata,
  limit: number,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + limit }
    client.makeUnaryRequest(path, encoder.encode, decoder.decode, request, metadata, options, (error, response) => {
      if (error) reject(error)
      else resolve(response!)
    })
  })
}

function stream<Q extends object, R extends object>(
  client: Client,
  { path, request, response }: Method<Q, R>,
  metadata: Metadata,
  options = {},
): Stream<Q, R> {
  return client.makeBidiStreamRequest<Partial<Q>, R>(path, request.encode, response.decode, metadata, options)
}

function firstAnswer<Q extends object, R extends object>(
  { client, metadata }: Session,
  method: Method<Q, R>,
  request: Partial<Q>,
): Promise<R> {
  const call = stream(client, method, metadata, { deadline: Date.now() + REQUEST_LIMIT })
  return new Promise((resolve, reject) => {
    call.once('data', (answer: R) => {
      resolve(answer)
      call.end()
      call.cancel()
    })
    call.on('error', (error: ServiceError) => reject(error)) // of no effect after the answer
    call.once('end', () => reject(new Error('the stream ended without an answer')))
    call.write(request)
  })
}
