/** What the data path counts. The array may lie in shared memory: one thread counts, others look. */

/** The place of each in the array. */
export const Counter = {
  /** Packets read from the TUN device. */
  tunReads: 0,
  /** Of them, those that stood for several. */
  superPackets: 1,
  /** Packets sent to other nodes, each a datagram of its own. */
  packetsSent: 2,
  /** Messages that they were sent with: trains of datagrams, or single ones. */
  messagesSent: 3,
  sendCalls: 4,
  /** Messages that the kernel refused as they were, and that went datagram by datagram. */
  messagesSplit: 5,
  /** Messages that were not sent, for whatever reason. */
  sendErrors: 6,
  /** Messages received: trains of datagrams, or single ones. */
  messagesReceived: 7,
  receiveCalls: 8,
  /** Packets that came in them. */
  packetsReceived: 9,
  /** Of them, those that were written as a part of a larger one. */
  packetsMerged: 10,
  tunWrites: 11,
  /** Writes that the TUN device refused: it is down. */
  writeErrors: 12,
  /** Messages from addresses that are no node's. */
  strangers: 13,
  /** Datagrams that were longer than the buffer. */
  truncated: 14,
  /** Packets that are no IPv4, or not whole. */
  malformed: 15,
  /** Packets that would have been merged but for a wrong checksum; they go on as they are, for the kernel to drop. */
  wrongChecksums: 16,
  noRoute: 17,
  /** Packets whose TTL ended, on the way out or in. */
  ttlExceeded: 18,
  icmpSent: 19,
  /** ICMP errors that were not sent, because there were too many. */
  icmpLimited: 20,
  /** Times that the thread waited. */
  polls: 21,
} as const

export type CounterName = keyof typeof Counter
export type UdpCounters = Readonly<Record<CounterName, number>>

export const COUNTERS = Object.keys(Counter).length

/** As read at this moment. */
export function readCounters(counts: Float64Array): UdpCounters {
  const entries = Object.entries(Counter).map(([name, place]) => [name, counts[place]!])
  return Object.fromEntries(entries) as UdpCounters
}
