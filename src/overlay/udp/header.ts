/**
 * Where the fields stand that the data path reads and writes, counted from the header's first byte. The headers themselves
 * are in src/wire; a packet in a hundred nanoseconds leaves no time for more than the field in question.
 */
import { ipv4Header } from '../../wire/ipv4.ts'
import { tcpHeader } from '../../wire/tcp.ts'
import { udpHeader } from '../../wire/udp.ts'

export const IP_HEADER = ipv4Header.size
export const IP_TOS = ipv4Header.offsets.tos
export const IP_LENGTH = ipv4Header.offsets.totalLength
export const IP_ID = ipv4Header.offsets.identification
export const IP_FLAGS = ipv4Header.offsets.flagsAndOffset
export const IP_TTL = ipv4Header.offsets.ttl
export const IP_PROTOCOL = ipv4Header.offsets.protocol
export const IP_CHECKSUM = ipv4Header.offsets.checksum
export const IP_SOURCE = ipv4Header.offsets.source
export const IP_DESTINATION = ipv4Header.offsets.destination

/** In the 16 bits at IP_FLAGS. */
export const DONT_FRAGMENT = 0x4000
export const FRAGMENT_OFFSET = 0x1fff
/** More fragments, or an offset: it is a piece of a packet. */
export const IS_FRAGMENT = 0x3fff

export const TCP_HEADER = tcpHeader.size
export const TCP_SEQUENCE = tcpHeader.offsets.sequence
export const TCP_ACKNOWLEDGMENT = tcpHeader.offsets.acknowledgment
/** The header's length in the upper four bits, in words of four bytes; the flags are in the byte behind. */
export const TCP_OFFSET = tcpHeader.offsets.offsetAndFlags
export const TCP_FLAGS = tcpHeader.offsets.offsetAndFlags + 1
export const TCP_WINDOW = tcpHeader.offsets.window
export const TCP_CHECKSUM = tcpHeader.offsets.checksum
export const TCP_URGENT = tcpHeader.offsets.urgentPointer

export const UDP_HEADER = udpHeader.size
export const UDP_LENGTH = udpHeader.offsets.length
export const UDP_CHECKSUM = udpHeader.offsets.checksum

/**
 * struct virtio_net_hdr, linux/virtio_net.h: before every packet of a TUN with IFF_VNET_HDR. Its numbers are the
 * machine's.
 */
export const VNET_HEADER = 10
export const VNET_FLAGS = 0
export const VNET_GSO_TYPE = 1
export const VNET_HEADER_LENGTH = 2
export const VNET_GSO_SIZE = 4
export const VNET_CHECKSUM_START = 6
export const VNET_CHECKSUM_OFFSET = 8

export const VNET_NEEDS_CHECKSUM = 1
export const GSO_NONE = 0
export const GSO_TCPV4 = 1
export const GSO_UDP_L4 = 5
/** Beside GSO_TCPV4: CWR is meant for the first segment. */
export const GSO_ECN = 0x80
