/** What the speaker runs: draft-ietf-idr-bgp-software-version. | length (1) | version |, in UTF-8. */
import { joined } from '../octets.ts'
import { encodeUtf8UpTo, readUtf8 } from '../utf8.ts'
import type { CapabilityCodec } from './capability.ts'

/** "The Version Length … SHOULD be … no greater than 64". */
const MAX_VERSION = 64

export const softwareVersion: CapabilityCodec<string> = {
  code: 75,
  decode: (data) => (data.length === 1 + data[0]! ? readUtf8(data.subarray(1)) : undefined),
  encode(version) {
    const bytes = encodeUtf8UpTo(version, MAX_VERSION)
    return joined([Uint8Array.of(bytes.length), bytes])
  },
  show: (version) => version,
}
