/**
 * A TUN device with offloads: Documentation/networking/tuntap.rst, linux/if_tun.h.
 *
 * With IFF_VNET_HDR every packet has a struct virtio_net_hdr before it, and with TUNSETOFFLOAD the kernel leaves cutting and
 * checksums to the reader: it may be 64 kB of TCP.
 */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import { EINVAL, succeed } from './errno.ts'
import { O_CLOEXEC, O_NONBLOCK, O_RDWR } from './fcntl.ts'
import { Ifreq, isLinkName } from './ifreq.ts'
import type { Namespace } from './netns.ts'

const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
const TUNSETOFFLOAD = 0x400454d0
const TUNSETVNETHDRSZ = 0x400454d8
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const IFF_VNET_HDR = 0x4000

/** TUN_F_*: unfinished checksums; TCP in large pieces, with ECN too; UDP in large pieces, since Linux 6.2. */
const CSUM = 0x01
const TSO4 = 0x02
const TSO_ECN = 0x08
const USO4 = 0x20
const USO6 = 0x40

const VNET_HEADER_SIZE = 10

export interface TunQueue {
  readonly descriptor: number
  /** Whether the device gives and takes super-packets of UDP. */
  readonly hasUdp: boolean
}

/** Attaches to the device, or makes one that goes when closed. KernelError EBUSY while another process has it. */
export function openTunQueue(name: string, namespace: Namespace): TunQueue {
  const call = `open TUN device "${name}"`
  if (!isLinkName(name)) throw new KernelError('EINVAL', call, 'a name has 1 to 15 bytes')
  const descriptor = succeed(
    namespace.inside(() => sys.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC, 0)),
    call,
  )
  try {
    const request = new Ifreq()
    request.name = name
    request.flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
    succeed(sys.ioctl(descriptor, TUNSETIFF, request.bytes), call)
    const size = new Uint8Array(Int32Array.of(VNET_HEADER_SIZE).buffer)
    succeed(sys.ioctl(descriptor, TUNSETVNETHDRSZ, size), call)
    const withUdp = sys.ioctl(descriptor, TUNSETOFFLOAD, CSUM | TSO4 | TSO_ECN | USO4 | USO6)
    if (withUdp === -EINVAL) succeed(sys.ioctl(descriptor, TUNSETOFFLOAD, CSUM | TSO4 | TSO_ECN), call)
    else succeed(withUdp, call)
    return { descriptor, hasUdp: withUdp >= 0 }
  } catch (error) {
    sys.close(descriptor)
    throw error
  }
}

/** The device outlives the process: its address and routes stay while the next one starts. */
export function keepTun({ descriptor }: TunQueue, call: string): void {
  succeed(sys.ioctl(descriptor, TUNSETPERSIST, 1), call)
}
