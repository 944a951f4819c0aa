/** struct mmsghdr and struct cmsghdr of 64-bit machines, as sendmmsg(2) and recvmmsg(2) take them. Bytes. */

export const MESSAGE = 64
/** In a struct mmsghdr. */
export const NAME = 0
export const NAME_LENGTH = 8
export const IOVECS = 16
export const IOVEC_COUNT = 24
export const CONTROL = 32
export const CONTROL_LENGTH = 40
export const FLAGS = 48
export const LENGTH = 56

/** In msg_flags: more came than there was room for. */
export const MSG_TRUNC = 0x20

/** A struct cmsghdr with a value of up to 8 bytes. */
export const CONTROL_MESSAGE = 24
export const CONTROL_LEVEL = 8
export const CONTROL_TYPE = 12
export const CONTROL_VALUE = 16

export const SOL_UDP = 17
/** linux/udp.h: a train of datagrams to be sent, or one received; the value is their length. */
export const UDP_SEGMENT = 103
export const UDP_GRO = 104

/** struct sockaddr_in */
export const SOCKET_ADDRESS = 16
export const PORT = 2
export const ADDRESS = 4
export const AF_INET = 2
