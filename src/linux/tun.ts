/**
 * TUN and TAP: packets of the kernel's in our hands, Documentation/networking/tuntap.rst.
 *
 * The device is in the namespace where /dev/net/tun was opened. IFF_NO_PI: a read is a packet and nothing before it.
 */
import { sys } from '#sys'
import type { Tun, Tuns } from '../kernel/live.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import type { Namespace } from './netns.ts'
import { reactor } from './reactor.ts'

const O_RDWR = 2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const TUNSETIFF = 0x4004_54ca
const IFREQ_SIZE = 40
const IFNAMSIZ = 16
const MODES = { tun: 1, tap: 2 }
const IFF_NO_PI = 0x1000
const EAGAIN = 11
const EINTR = 4

/** A packet with offloads left out is no longer than its IP length can say. */
const MAX_PACKET = 65_536
/** So many before others have their turn. */
const PACKETS_AT_ONCE = 64

export class LinuxTuns implements Tuns {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  open(name: string, mode: 'tun' | 'tap', onPacket: (packet: Uint8Array) => void): Tun {
    const call = `open ${mode} device "${name}"`
    const request = new Uint8Array(IFREQ_SIZE)
    const wanted = sys.encode(name)
    if (wanted.length >= IFNAMSIZ) throw new RangeError(`Cannot ${call}: the name has more than ${IFNAMSIZ - 1} bytes`)
    request.set(wanted)
    new DataView(request.buffer).setUint16(IFNAMSIZ, MODES[mode] | IFF_NO_PI, LITTLE_ENDIAN)

    const device = succeed(
      this.#namespace.inside(() => sys.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC, 0)),
      call,
    )
    try {
      succeed(sys.ioctl(device, TUNSETIFF, request), call)
      return listen(device, sys.decode(request.subarray(0, request.indexOf(0))), onPacket)
    } catch (error) {
      sys.close(device)
      throw error
    }
  }
}

function listen(device: number, name: string, onPacket: (packet: Uint8Array) => void): Tun {
  const buffer = new Uint8Array(MAX_PACKET)
  let open = true
  const remove = reactor.add(device, () => {
    for (let i = 0; i < PACKETS_AT_ONCE && open; i++) {
      const length = sys.read(device, buffer)
      if (length === -EAGAIN || length === -EINTR) return
      // EBADFD: the device was deleted, and this descriptor will say so for ever.
      if (length < 0) return remove()
      onPacket(buffer.slice(0, length))
    }
  })
  return {
    name,
    write(packet) {
      succeed(sys.write(device, packet, packet.length), `write to "${name}"`)
    },
    close() {
      if (!open) return
      open = false
      remove()
      sys.close(device)
    },
  }
}
