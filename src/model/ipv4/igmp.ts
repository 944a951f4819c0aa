/**
 * IGMP: igmp_rcv, net/ipv4/igmp.c. Nobody here joins a group that is told to routers (224.0.0.1 is not), so that nothing is said,
 * and nothing that is heard changes anything.
 */
import { drop } from '../observer.ts'
import type { TransportProtocol } from '../transport.ts'

/** What stands in `model.ipv4Protocols` for IGMP. */
export const igmpProtocol: TransportProtocol = {
  receive(packet) {
    drop(packet, 'NOT_SPECIFIED', 'igmp_rcv', { own: 'OVL_IGMP', what: 'IGMP is for hosts that are in groups' })
  },
}
