/**
 * A netlink socket, asked synchronously.
 *
 * The kernel handles a request inside send(2): when that returns, the answer is in the socket's queue. So nothing here
 * ever waits, a request is two system calls, and an answer that is not there is an error and not a hang. A dump's next
 * part is put into the queue by the recv(2) that takes the one before.
 *
 * What can go wrong on the way, and what is done about it:
 *
 *   the kernel says no           Refusal, with the words of its extended acknowledgement (NETLINK_EXT_ACK)
 *   a list changed while read    NLM_F_DUMP_INTR: asked again, some times
 *   an answer longer than our    MSG_TRUNC tells the length: the buffer grows, and what only reads is asked again
 *   buffer
 *   a request longer than the    EMSGSIZE: SO_SNDBUFFORCE, sent again
 *   send buffer
 *   more answers than fit the    ENOBUFS: thrown, since nobody knows which were lost; see MAX_BATCH
 *   receive buffer
 */
import { sys } from '#sys'
import { KernelError } from '../../kernel/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { EAGAIN, EMSGSIZE, ENOBUFS, errnoName, succeed } from '../errno.ts'
import { Attributes } from './attribute.ts'
import {
  addFlags,
  align,
  decodeMessages,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HEADER_SIZE,
} from './message.ts'

export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12
export const NETLINK_GENERIC = 16

/**
 * Requests in one datagram. A refusal takes 1.3 kB of the receive buffer, of which Linux gives 208 KiB
 * (net.core.rmem_default): if all of these are refused, all refusals arrive.
 */
export const MAX_BATCH = 128

const AF_NETLINK = 16
const SOCK_RAW = 3
/** struct sockaddr_nl: family (2), padding (2), port (4), groups (4). */
const SOCKADDR_NL_SIZE = 12
const SOCKADDR_NL_PID = 4
const SOCK_CLOEXEC = 0x80000
const SOL_SOCKET = 1
const SO_SNDBUFFORCE = 32
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40

/** Of an NLMSG_ERROR: the request is not repeated in it, but for its header; attributes follow. */
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
const NLMSGERR_ATTR_MSG = 1

/** The most that the kernel puts into one datagram of a dump: netlink_dump() in net/netlink/af_netlink.c. */
const RECEIVE_SIZE = 32768
const DUMP_ATTEMPTS = 20

/** What the kernel answered to a request that it did not carry out. */
export interface Refusal {
  readonly errno: string
  readonly explanation: string | undefined
}

/** What the kernel answered to one message of an exchange. */
export interface Answer {
  /** It was acknowledged; only a message with NLM_F_ACK is. */
  acknowledged: boolean
  refusal: Refusal | undefined
  readonly replies: NetlinkMessage[]
}

/** The descriptor of a new socket, in the namespace that the process is in. NETLINK_ROUTE, or another of the above. */
export function openNetlink(protocol: number): number {
  return succeed(sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 'open a netlink socket')
}

export class NetlinkSocket {
  readonly descriptor: number
  #sequence = 0
  #buffer: Uint8Array
  #strict = false

  /** Owns the descriptor from now on. */
  constructor(descriptor: number, receiveSize = RECEIVE_SIZE) {
    this.descriptor = descriptor
    this.#buffer = new Uint8Array(receiveSize)
    this.#enable(NETLINK_EXT_ACK)
    this.#enable(NETLINK_CAP_ACK)
  }

  close(): void {
    sys.close(this.descriptor)
  }

  /** Its own address, which notifications of what it was asked to change bear: nlmsg_pid. The kernel gives it at the first request. */
  get port(): number {
    const call = 'find the address of a netlink socket'
    const address = new Uint8Array(SOCKADDR_NL_SIZE)
    const view = new DataView(address.buffer)
    const read = () => {
      succeed(sys.getsockname(this.descriptor, address), call)
      return view.getUint32(SOCKADDR_NL_PID, LITTLE_ENDIAN)
    }
    const port = read()
    if (port !== 0) return port
    succeed(sys.bind(this.descriptor, address), call)
    return read()
  }

  /** Asks for a change. KernelError when it is refused; `call` completes its "Cannot …". */
  request(call: string, message: Uint8Array): void {
    const [answer] = this.exchange(call, [addFlags(message, NLM_F_ACK)])
    if (answer!.refusal) throw refused(call, answer!.refusal)
    if (!answer!.acknowledged) throw new KernelError('EAGAIN', call, 'the kernel did not answer')
  }

  /** Asks for one thing. What `decode` is given shares memory with the socket's buffer. */
  get<T>(call: string, message: Uint8Array, decode: (message: NetlinkMessage) => T): T {
    for (;;) {
      const sequence = this.#send(call, message)
      const messages = this.#receive(call)
      if (messages === 'truncated') continue
      const answer = messages?.find((message) => message.sequence === sequence)
      if (!answer) throw new KernelError('EAGAIN', call, 'the kernel did not answer')
      const refusal = answer.type === NLMSG_ERROR ? decodeRefusal(answer) : undefined
      if (refusal) throw refused(call, refusal)
      return decode(answer)
    }
  }

  /**
   * Asks for a list; NLM_F_DUMP is added. Those that `decode` makes undefined are left out. It must ask nothing of this
   * socket itself. KernelError EINTR when the list changes faster than it can be read.
   */
  dump<T>(call: string, message: Uint8Array, decode: (message: NetlinkMessage) => T | undefined): T[] {
    if (!this.#strict) this.#enable(NETLINK_GET_STRICT_CHK)
    this.#strict = true
    addFlags(message, NLM_F_DUMP)
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const list: T[] = []
      if (this.#readDump(call, this.#send(call, message), decode, list)) return list
    }
    throw new KernelError('EINTR', call, 'it changed each time while it was read')
  }

  /**
   * As dump, as many at a time as the kernel hands out. Nothing else may be asked of the socket before the last. KernelError
   * EINTR behind it when some may be missing.
   */
  *dumpParts<T>(
    call: string,
    message: Uint8Array,
    decode: (message: NetlinkMessage) => T | undefined,
  ): Generator<readonly T[]> {
    if (!this.#strict) this.#enable(NETLINK_GET_STRICT_CHK)
    this.#strict = true
    const sequence = this.#send(call, addFlags(message, NLM_F_DUMP))
    let whole = true
    for (let end = false; !end; ) {
      const list: T[] = []
      const part = this.#readPart(call, sequence, decode, list)
      if (!part) throw endMissing(call)
      whole &&= part.whole
      end = part.end
      yield list
    }
    if (!whole) throw new KernelError('EINTR', call, 'it changed while it was read')
  }

  /**
   * Sends the messages, at most MAX_BATCH, in one datagram, and answers for each what came back. Refusals always come
   * back, acknowledgements where NLM_F_ACK is set; to know that all went well it is enough to set it on the last.
   */
  exchange(call: string, messages: readonly Uint8Array[]): Answer[] {
    const first = this.#send(call, messages.length === 1 ? messages[0]! : joined(messages))
    const answers = messages.map((): Answer => ({ acknowledged: false, refusal: undefined, replies: [] }))
    const last = messages.findLastIndex((message) => flagsOf(message) & NLM_F_ACK)
    for (;;) {
      const received = this.#receive(call)
      if (received === 'truncated') throw new KernelError('EMSGSIZE', call, 'its answer was too long')
      if (!received) return answers
      let done = false
      for (const message of received) {
        const index = (message.sequence - first) >>> 0
        const answer = answers[index]
        if (!answer) continue // to an exchange before, which was given up
        if (message.type === NLMSG_ERROR) {
          answer.refusal = decodeRefusal(message)
          answer.acknowledged = !answer.refusal
          done ||= index === last
        } else if (message.type !== NLMSG_DONE) {
          answer.replies.push({ ...message, payload: message.payload.slice() })
          done ||= last < 0 && index === messages.length - 1 && !(message.flags & NLM_F_MULTI)
        }
      }
      if (done) return answers
    }
  }

  /**
   * Sends a datagram of at most MAX_BATCH messages, and answers which of them were refused, by their places. None of them may
   * ask for more than to be carried out.
   */
  batch(call: string, datagram: Uint8Array): { readonly index: number; readonly refusal: Refusal }[] {
    addFlags(lastOf(datagram), NLM_F_ACK)
    const first = this.#send(call, datagram)
    const last = this.#sequence
    const refusals: { index: number; refusal: Refusal }[] = []
    for (;;) {
      const received = this.#receive(call)
      if (received === 'truncated') throw new KernelError('EMSGSIZE', call, 'its answer was too long')
      if (!received) return refusals
      let isDone = false
      for (const message of received) {
        const index = (message.sequence - first) >>> 0
        const isOurs = index <= (last - first) >>> 0 && message.type === NLMSG_ERROR
        const refusal = isOurs ? decodeRefusal(message) : undefined
        if (refusal) refusals.push({ index, refusal })
        isDone ||= isOurs && message.sequence === last
      }
      if (isDone) return refusals
    }
  }

  /** Whether all of the list was read. It is read to its end in any case: till then the socket takes no other dump. */
  #readDump<T>(call: string, sequence: number, decode: (message: NetlinkMessage) => T | undefined, list: T[]): boolean {
    let whole = true
    let failure: unknown
    const decodeUnlessFailed = (message: NetlinkMessage) => {
      if (failure) return undefined
      try {
        return decode(message)
      } catch (error) {
        failure = error
        return undefined
      }
    }
    for (;;) {
      const part = this.#readPart(call, sequence, decodeUnlessFailed, list)
      // The part that was cut off may have had the end in it.
      if (!part && !whole) return false
      if (!part) throw endMissing(call)
      whole &&= part.whole
      if (!part.end) continue
      if (failure) throw failure
      return whole
    }
  }

  /** What one datagram holds goes into the list. Undefined when there is none. */
  #readPart<T>(
    call: string,
    sequence: number,
    decode: (message: NetlinkMessage) => T | undefined,
    list: T[],
  ): { readonly whole: boolean; readonly end: boolean } | undefined {
    const messages = this.#receive(call)
    if (messages === 'truncated') return { whole: false, end: false }
    let whole = true
    for (const message of messages ?? []) {
      if (message.sequence !== sequence) continue
      if (message.flags & NLM_F_DUMP_INTR) whole = false
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
        const refusal = decodeRefusal(message)
        if (refusal) throw refused(call, refusal)
        return { whole, end: true }
      }
      const value = decode(message)
      if (value !== undefined) list.push(value)
    }
    return messages && { whole, end: false }
  }

  /** Answers the first message's sequence; those of the others follow it. */
  #send(call: string, datagram: Uint8Array): number {
    const first = (this.#sequence + 1) >>> 0
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length)
    for (let at = 0; at < datagram.length; at += align(view.getUint32(at, LITTLE_ENDIAN))) {
      this.#sequence = (this.#sequence + 1) >>> 0
      view.setUint32(at + 8, this.#sequence, LITTLE_ENDIAN)
    }
    let result = sys.send(this.descriptor, datagram, datagram.length, 0)
    if (result === -EMSGSIZE) {
      this.#set(SOL_SOCKET, SO_SNDBUFFORCE, 2 * datagram.length)
      result = sys.send(this.descriptor, datagram, datagram.length, 0)
    }
    succeed(result, call)
    return first
  }

  /** The next datagram's messages, undefined when there is none. They share memory with the buffer. */
  #receive(call: string): NetlinkMessage[] | 'truncated' | undefined {
    const length = sys.recv(this.descriptor, this.#buffer, MSG_DONTWAIT | MSG_TRUNC)
    if (length === -EAGAIN) return undefined
    if (length === -ENOBUFS) this.#drain()
    succeed(length, call)
    if (length <= this.#buffer.length) return decodeMessages(this.#buffer.subarray(0, length))
    this.#buffer = new Uint8Array(align(length))
    return 'truncated'
  }

  /** What is left in a queue that overflowed is of no use, and would leave no room for the next answer. */
  #drain(): void {
    while (sys.recv(this.descriptor, this.#buffer, MSG_DONTWAIT) >= 0);
  }

  /** Kernels before 4.20 lack some of these options, and then we do without. */
  #enable(option: number): void {
    this.#set(SOL_NETLINK, option, 1)
  }

  #set(level: number, option: number, value: number): void {
    sys.setsockopt(this.descriptor, level, option, new Uint8Array(Int32Array.of(value).buffer))
  }
}

function endMissing(call: string): KernelError {
  return new KernelError('EAGAIN', call, 'the kernel did not send the end of the list')
}

/** The refusal that an NLMSG_ERROR or NLMSG_DONE tells of; undefined when it tells of success. */
export function decodeRefusal({ type, flags, payload }: NetlinkMessage): Refusal | undefined {
  if (payload.length < 4) return undefined // a DONE without a code: kernels before 4.14
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const errno = -view.getInt32(0, LITTLE_ENDIAN)
  if (errno === 0) return undefined
  let explanation: string | undefined
  if (flags & NLM_F_ACK_TLVS) {
    let at = 4
    if (type === NLMSG_ERROR && payload.length >= 4 + NLMSG_HEADER_SIZE) {
      at += flags & NLM_F_CAPPED ? NLMSG_HEADER_SIZE : align(view.getUint32(4, LITTLE_ENDIAN))
    }
    explanation = new Attributes(payload, at).text(NLMSGERR_ATTR_MSG)
  }
  return { errno: errnoName(errno), explanation }
}

export function refused(call: string, { errno, explanation }: Refusal): KernelError {
  return new KernelError(errno, call, explanation)
}

function flagsOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint16(6, LITTLE_ENDIAN)
}

/** The last message of a datagram. */
function lastOf(datagram: Uint8Array): Uint8Array {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length)
  let at = 0
  for (;;) {
    const next = at + align(view.getUint32(at, LITTLE_ENDIAN))
    if (next >= datagram.length) return datagram.subarray(at)
    at = next
  }
}

function joined(messages: readonly Uint8Array[]): Uint8Array {
  const datagram = new Uint8Array(messages.reduce((length, message) => length + message.length, 0))
  let at = 0
  for (const message of messages) {
    datagram.set(message, at)
    at += message.length
  }
  return datagram
}
