/** struct ifreq, linux/if.h: a link's name, then what is asked or told of it. netdevice(7), if_tun.h. */
import { sys } from '#sys'
import { LITTLE_ENDIAN } from './byte-order.ts'

/** A name's bytes with the NUL behind it. */
export const IFNAMSIZ = 16
const IFREQ_SIZE = 40

/** Whether a link can have such a name; the kernel would cut a longer one off. */
export function isLinkName(name: string): boolean {
  const bytes = sys.encode(name)
  return bytes.length > 0 && bytes.length < IFNAMSIZ && !bytes.includes(0)
}

export class Ifreq {
  readonly bytes = new Uint8Array(IFREQ_SIZE)
  readonly #view = new DataView(this.bytes.buffer)

  get name(): string {
    return sys.decode(this.bytes.subarray(0, this.bytes.indexOf(0)))
  }

  /** isLinkName must hold of it. */
  set name(name: string) {
    this.bytes.set(sys.encode(name))
  }

  /** ifr_ifindex. */
  get index(): number {
    return this.#view.getInt32(IFNAMSIZ, LITTLE_ENDIAN)
  }

  set index(index: number) {
    this.#view.setInt32(IFNAMSIZ, index, LITTLE_ENDIAN)
  }

  /** ifr_flags. */
  set flags(flags: number) {
    this.#view.setUint16(IFNAMSIZ, flags, LITTLE_ENDIAN)
  }
}
