/** A monitoring station in memory, and BMP as it reads it: written from RFC 7854 alone. */
import type { MemoryHost } from '../../../src/bgp/memory-transport.ts'
import type { Connection } from '../../../src/bgp/transport.ts'
import type { World } from '../speakers.ts'

export const STATION = '10.0.9.9'
export const PORT = 11019

const TYPES = ['route monitoring', 'statistics', 'peer down', 'peer up', 'initiation', 'termination']

export interface Told {
  readonly type: string
  /** Of the per-peer header: `10.0.0.2`, `loc-rib`; '' where there is none. */
  readonly peer: string
  readonly flags: number
  readonly as: number
  /** Milliseconds. */
  readonly time: number
  /** Behind the per-peer header. */
  readonly body: Buffer
}

export class TestStation {
  readonly host: MemoryHost
  /** One for each connection. */
  readonly connections: { readonly connection: Connection; octets: Buffer; closed: string | undefined }[] = []

  constructor({ network }: World, address = STATION) {
    this.host = network.hostOf(address) ?? network.host(address)
    this.host.listen({ address: undefined, port: PORT }, (connection) => {
      const heard = { connection, octets: Buffer.alloc(0), closed: undefined as string | undefined }
      this.connections.push(heard)
      return {
        connected: () => undefined,
        received: (octets) => {
          heard.octets = Buffer.concat([heard.octets, octets])
        },
        taken: () => undefined,
        closed: (why) => {
          heard.closed = why
        },
      }
    })
  }

  /** Of the last connection, in order. */
  get told(): Told[] {
    const octets = this.connections.at(-1)?.octets ?? Buffer.alloc(0)
    const told: Told[] = []
    for (let at = 0; at < octets.length; ) {
      const length = octets.readUInt32BE(at + 1)
      if (octets[at] !== 3 || length < 6 || at + length > octets.length) throw new Error(`no BMP at ${at}`)
      told.push(read(octets.subarray(at, at + length)))
      at += length
    }
    return told
  }

  of(type: string): Told[] {
    return this.told.filter((each) => each.type === type)
  }

  /** Routes as the station believes them: by peer and flags, prefixes of IPv4 with the next hop. */
  routes(peer: string, flags = 0): Record<string, string> {
    const routes: Record<string, string> = {}
    for (const each of this.told) {
      if (each.peer !== peer) continue
      if (each.type === 'peer down') for (const prefix of Object.keys(routes)) delete routes[prefix]
      if (each.type !== 'route monitoring' || each.flags !== flags) continue
      const { withdrawn, announced, nextHop } = updateOf(each.body)
      for (const prefix of withdrawn) delete routes[prefix]
      for (const prefix of announced) routes[prefix] = nextHop
    }
    return routes
  }
}

function read(message: Buffer): Told {
  const type = TYPES[message[5]!] ?? String(message[5])
  if (type === 'initiation' || type === 'termination') {
    return { type, peer: '', flags: 0, as: 0, time: 0, body: message.subarray(6) }
  }
  const header = message.subarray(6, 48)
  const isLocRib = header[0] === 3
  const flags = header[1]!
  const address =
    flags & 0x80
      ? (header.subarray(10, 26).toString('hex').match(/.{4}/g) ?? []).join(':')
      : header.subarray(22, 26).join('.')
  return {
    type,
    peer: isLocRib ? 'loc-rib' : address,
    flags,
    as: header.readUInt32BE(26),
    time: header.readUInt32BE(34) * 1000 + Math.round(header.readUInt32BE(38) / 1000),
    body: message.subarray(48),
  }
}

/** An UPDATE of IPv4 in its own fields. */
function updateOf(message: Buffer) {
  const withdrawnEnd = 21 + message.readUInt16BE(19)
  const end = withdrawnEnd + 2 + message.readUInt16BE(withdrawnEnd)
  let nextHop = ''
  for (let at = withdrawnEnd + 2; at < end; ) {
    const isLong = (message[at]! & 0x10) !== 0
    const length = isLong ? message.readUInt16BE(at + 2) : message[at + 2]!
    const value = at + (isLong ? 4 : 3)
    if (message[at + 1] === 3) nextHop = message.subarray(value, value + length).join('.')
    at = value + length
  }
  return { withdrawn: prefixes(message, 21, withdrawnEnd), announced: prefixes(message, end, message.length), nextHop }
}

function prefixes(message: Buffer, from: number, to: number): string[] {
  const list: string[] = []
  for (let at = from; at < to; ) {
    const bits = message[at]!
    const octets = Math.ceil(bits / 8)
    const address = Buffer.alloc(4)
    message.copy(address, 0, at + 1, at + 1 + octets)
    list.push(`${address.join('.')}/${bits}`)
    at += 1 + octets
  }
  return list
}
