/**
 * A message as we would write it, made from its octets alone: what the RFCs leave to the sender is settled, and all else is
 * untouched.
 *
 * - Capabilities may be spread over parameters (RFC 5492 §4): all are in one.
 * - Attributes may have any order (RFC 4271 §5): MP_REACH_NLRI and MP_UNREACH_NLRI first (RFC 7606 §5.1), then by type code.
 * - A short attribute may have a length of two octets (RFC 4271 §4.3): it has one.
 * - What is unknown and not transitive goes no further; what is unknown and transitive is Partial from here on (RFC 4271 §5).
 */

const HEADER = 19
const OPEN = 1
const UPDATE = 2

export function canonical(message: Buffer): Buffer {
  const type = message[18]
  return type === OPEN ? canonicalOpen(message) : type === UPDATE ? canonicalUpdate(message) : message
}

function canonicalOpen(message: Buffer): Buffer {
  const fixed = message.subarray(HEADER, HEADER + 9)
  const capabilities: Buffer[] = []
  for (let at = HEADER + 10; at < message.length; at += 2 + message[at + 1]!) {
    capabilities.push(message.subarray(at + 2, at + 2 + message[at + 1]!))
  }
  const list = Buffer.concat(capabilities)
  const parameters = list.length > 0 ? Buffer.concat([Buffer.from([2, list.length]), list]) : list
  return withLength(message, Buffer.concat([fixed, Buffer.from([parameters.length]), parameters]))
}

function canonicalUpdate(message: Buffer): Buffer {
  const withdrawnEnd = HEADER + 2 + message.readUInt16BE(HEADER)
  const end = withdrawnEnd + 2 + message.readUInt16BE(withdrawnEnd)
  const attributes: { order: number; octets: Buffer }[] = []
  for (let at = withdrawnEnd + 2; at < end; ) {
    const [flags, code] = [message[at]!, message[at + 1]!]
    const extended = (flags & 0x10) !== 0
    const from = at + (extended ? 4 : 3)
    const length = extended ? message.readUInt16BE(at + 2) : message[at + 2]!
    at = from + length
    const isUnknown = code > 32
    if (isUnknown && (flags & 0x40) === 0) continue
    const kept = (flags & ~0x10) | (isUnknown ? 0x20 : 0)
    const head = length > 255 ? [kept | 0x10, code, length >> 8, length & 255] : [kept, code, length]
    const order = code === 14 || code === 15 ? 0 : code
    attributes.push({ order, octets: Buffer.concat([Buffer.from(head), message.subarray(from, at)]) })
  }
  attributes.sort((a, b) => a.order - b.order)
  const block = Buffer.concat(attributes.map(({ octets }) => octets))
  const length = Buffer.from([block.length >> 8, block.length & 255])
  return withLength(
    message,
    Buffer.concat([message.subarray(HEADER, withdrawnEnd), length, block, message.subarray(end)]),
  )
}

function withLength(message: Buffer, body: Buffer): Buffer {
  const copy = Buffer.concat([message.subarray(0, HEADER), body])
  copy.writeUInt16BE(copy.length, 16)
  return copy
}
