/** What the extensions that look into a transport header share. Source: include/linux/netfilter/x_tables.h. */
import { type Machine, NO_TRANSPORT, type Operation } from '../vm/machine.ts'
import { BREAK, CONTINUE, DROP } from '../vm/verdict.ts'

/** A test of the transport header, which begins at `at`. */
export type HeaderTest = (bytes: Uint8Array, at: number, machine: Machine) => boolean

/**
 * Only where the first `length` bytes of the header are there: later fragments have none of it, and a packet that is too
 * short is dropped (hotdrop). `invert` turns the test round, not that.
 */
export function headerOperation(length: number, test: HeaderTest, invert = false): Operation {
  const match = invert ? BREAK : CONTINUE
  const miss = invert ? CONTINUE : BREAK
  return (machine) => {
    const { packet, transport, fragmentOffset, transportProtocol } = machine
    if (fragmentOffset !== 0 || transportProtocol === NO_TRANSPORT) return BREAK
    if (transport + length > packet.end) return DROP
    return test(packet.bytes, transport, machine) ? match : miss
  }
}
