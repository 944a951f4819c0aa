/**
 * A data path: packets of a TUN device, and the UDP socket that carries them, in memory that the caller lays out. For
 * who moves so many packets that `live.ts`, which hands over one at a time, would take too long.
 *
 * Memory is named by its offset. Every call answers as the kernel does: a result of 0 or more, or the negated errno. Nothing
 * waits but `wait`.
 */
export interface DataPath {
  /** The next packet of the TUN device, behind its struct virtio_net_hdr. */
  readTun(at: number, length: number): number
  /** Writes one packet, behind its struct virtio_net_hdr, gathered from so many struct iovec. */
  writeTun(iovecs: number, count: number): number
  /**
   * sendmmsg(2): how many of the struct mmsghdr went. A datagram that is longer than the MTU of its path is fragmented when
   * `fragment` says so, and refused with EMSGSIZE else.
   */
  send(messages: number, count: number, fragment: boolean): number
  /** recvmmsg(2): how many came. */
  receive(messages: number, count: number): number
  /** An ICMP message, without IP header; `address` is a struct sockaddr_in. */
  sendIcmp(at: number, length: number, address: number): number
  /**
   * Waits till something can be done, and answers what: Ready. With `sending`, for room in the socket instead of the
   * TUN device.
   */
  wait(sending: boolean): number
}

/** What can be done, or-ed. `control`: somebody has called. */
export const Ready = { tun: 1, socket: 2, control: 4, writable: 8 } as const

/** Numbers of errno(3) after which a data path goes on in some other way than by counting. */
export const EINTR = 4
export const EIO = 5
export const EAGAIN = 11
export const EINVAL = 22
/** The TUN device was deleted. */
export const EBADFD = 77
export const EMSGSIZE = 90
