/**
 * A batch: messages that nf_tables carries out as a whole or not at all.
 *
 *   NFNL_MSG_BATCH_BEGIN   NFT_MSG_NEWTABLE   NFT_MSG_NEWCHAIN   …   NFNL_MSG_BATCH_END        one datagram
 *
 * The kernel tries every message, also behind one that it refuses, and then throws all away; each refusal has its message's
 * sequence. The first is the one to report: those behind it often only follow from it. When all is well it says nothing, so
 * an empty queue is success. What it finds only at the end (a loop of jumps, no memory) it reports to BATCH_BEGIN.
 */
import { sys } from '#sys'
import { MessageWriter } from '../netlink/message.ts'
import { MAX_BATCH, type NetlinkSocket, refused } from '../netlink/socket.ts'
import { NFGENMSG_SIZE, NFNL_SUBSYS_NFTABLES } from './header.ts'

const NFNL_MSG_BATCH_BEGIN = 16
const NFNL_MSG_BATCH_END = 17
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
/** More than a refusal takes of the receive buffer. */
const REFUSAL_SIZE = 2048

export interface Step {
  readonly message: Uint8Array
  /** Completes "Cannot …". */
  call(): string
}

/** KernelError with the first refused step's call and errno; then nothing has changed. */
export function commitBatch(socket: NetlinkSocket, steps: readonly Step[]): void {
  if (steps.length > MAX_BATCH) makeRoom(socket, steps.length)
  const messages = [bracket(NFNL_MSG_BATCH_BEGIN), ...steps.map(({ message }) => message), bracket(NFNL_MSG_BATCH_END)]
  const call = `commit ${steps.length} changes of nftables`
  const answers = socket.exchange(call, messages)
  const first = answers.findIndex(({ refusal }, index) => refusal && index > 0)
  const index = first >= 0 ? first : 0
  const refusal = answers[index]!.refusal
  if (refusal) throw refused(steps[index - 1]?.call() ?? call, refusal)
}

function bracket(type: number): Uint8Array {
  const header = new Uint8Array(NFGENMSG_SIZE)
  header[3] = NFNL_SUBSYS_NFTABLES
  return new MessageWriter(32).message(type, 0).bytes(header).finish()
}

/** For all the refusals that there may be; should it fail, there is ENOBUFS at worst. */
function makeRoom(socket: NetlinkSocket, refusals: number): void {
  const size = new Uint8Array(Int32Array.of(refusals * REFUSAL_SIZE).buffer)
  sys.setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVBUFFORCE, size)
}
