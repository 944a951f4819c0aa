/** KEEPALIVE: RFC 4271 §4.4. A header and nothing else, which checkHeader has seen to. */
import { encodeMessage, MessageType } from './header.ts'

export function encodeKeepalive(): Uint8Array {
  return encodeMessage(MessageType.keepalive, new Uint8Array(0))
}
