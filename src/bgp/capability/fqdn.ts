/** The speaker's name: draft-walton-bgp-hostname-capability-02. | length (1) | host | length (1) | domain |, in UTF-8. */
import { joined } from '../octets.ts'
import { encodeUtf8UpTo, readUtf8 } from '../utf8.ts'
import type { CapabilityCodec } from './capability.ts'

export interface Fqdn {
  readonly host: string
  /** Often empty. */
  readonly domain: string
}

/** "The length of the hostname and domain name SHOULD be limited to 64 octets". */
const MAX_NAME = 64

export const fqdn: CapabilityCodec<Fqdn> = {
  code: 73,
  decode(data) {
    const hostEnd = 1 + data[0]!
    const domainEnd = hostEnd + 1 + data[hostEnd]!
    if (domainEnd !== data.length) return undefined // NaN when an octet of length is missing
    const host = readUtf8(data.subarray(1, hostEnd))
    const domain = readUtf8(data.subarray(hostEnd + 1, domainEnd))
    return host === undefined || domain === undefined ? undefined : { host, domain }
  },
  encode: ({ host, domain }) =>
    joined(
      [host, domain]
        .map((name) => encodeUtf8UpTo(name, MAX_NAME))
        .flatMap((bytes) => [Uint8Array.of(bytes.length), bytes]),
    ),
  show: ({ host, domain }) => (domain ? `${host}.${domain}` : host),
}
