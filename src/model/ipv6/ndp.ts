/** What neighbour discovery does for its table: net/ipv6/ndisc.c. */
import { formatIpv6 } from '../../address/ipv6.ts'
import type { NeighbourFamily } from '../neighbour.ts'
import { unsupported } from '../observer.ts'

export const ndFamily: NeighbourFamily = {
  format: (key) =>
    formatIpv6(Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(`${key}`.slice(2 * i, 2 * i + 2), 16))),
  conf: (device) => device.ipv6.neighbourConf,
  fixedAddress: () => undefined,
  solicit(_neighbour, packet) {
    if (packet) unsupported(packet, 'neighbour solicitation')
  },
  unreachable() {},
}
