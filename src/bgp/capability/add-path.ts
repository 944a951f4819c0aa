/** ADD-PATH: RFC 7911 §4. | AFI (2) | SAFI (1) | 1 receive, 2 send, 3 both |, repeated. */
import { type AfiSafi, formatAfiSafi } from '../family.ts'
import { joined, u16 } from '../octets.ts'
import { type CapabilityCodec, entries } from './capability.ts'

/** What the speaker that says so is able to do. */
export type AddPathMode = 'receive' | 'send' | 'both'

export interface AddPathFamily extends AfiSafi {
  readonly mode: AddPathMode
}

const MODES: readonly (AddPathMode | undefined)[] = [undefined, 'receive', 'send', 'both']

export const addPath: CapabilityCodec<readonly AddPathFamily[]> = {
  code: 69,
  // "If any other value is received, then the capability SHOULD be treated as not understood and ignored."
  decode: (data) =>
    entries(data, 4, (entry) => {
      const mode = MODES[entry[3]!]
      return mode && { afi: u16(entry, 0), safi: entry[2]!, mode }
    }),
  encode: (families) =>
    joined(families.map(({ afi, safi, mode }) => Uint8Array.of(afi >> 8, afi, safi, MODES.indexOf(mode)))),
  show: (families) => families.map((each) => `${formatAfiSafi(each)} ${each.mode}`).join(', '),
}
