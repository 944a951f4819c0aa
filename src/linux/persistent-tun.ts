/** TUN and TAP devices that no process has open: `ip tuntap add`. Netlink cannot make them. Source: linux/if_tun.h. */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import type { NewLink } from '../kernel/link.ts'
import { EBUSY, succeed } from './errno.ts'
import { O_CLOEXEC, O_RDWR } from './fcntl.ts'
import { closing } from './files.ts'
import { Ifreq, isLinkName } from './ifreq.ts'
import type { Namespace } from './netns.ts'

const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
const TUNSETOWNER = 0x400454cc
const TUNSETGROUP = 0x400454ce
const IFF_TUN = 0x0001
const IFF_TAP = 0x0002
const IFF_MULTI_QUEUE = 0x0100
/** Packets without the 4 bytes of struct tun_pi before them. */
const IFF_NO_PI = 0x1000
/** Refuse with EBUSY to attach to a device that is there. */
const IFF_TUN_EXCL = 0x8000

export function addPersistentTun(link: NewLink & { readonly kind: 'tun' }, namespace: Namespace, call: string): void {
  const { mode, owner, group, multiQueue } = link.tun
  if (!isLinkName(link.name)) throw new KernelError('EINVAL', call, 'a name has 1 to 15 bytes')
  const request = new Ifreq()
  request.name = link.name
  request.flags = (mode === 'tun' ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_TUN_EXCL | (multiQueue ? IFF_MULTI_QUEUE : 0)

  // The device is made in the namespace in which the file was opened.
  closing(
    succeed(
      namespace.inside(() => sys.open('/dev/net/tun', O_RDWR | O_CLOEXEC, 0)),
      call,
    ),
    (tun) => {
      const attached = sys.ioctl(tun, TUNSETIFF, request.bytes)
      if (attached === -EBUSY) throw new KernelError('EEXIST', call)
      succeed(attached, call)
      if (owner !== undefined) succeed(sys.ioctl(tun, TUNSETOWNER, owner), call)
      if (group !== undefined) succeed(sys.ioctl(tun, TUNSETGROUP, group), call)
      succeed(sys.ioctl(tun, TUNSETPERSIST, 1), call)
    },
  )
}
