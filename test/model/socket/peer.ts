/**
 * A host 10.9.0.66 that is made of frames, on a link to 10.9.0.2: it says what it is told to, and hears the answers. The same
 * was done to the kernel, with AF_PACKET; what it answered stands in the tests.
 */
import { decodeEthernet, EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { decodeIpv4, encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { decodeOptions } from '../../../src/wire/options.ts'
import { decodeTcp, encodeTcp, type TcpOptions, tcpOptions } from '../../../src/wire/tcp.ts'
import { fromHex, toHex, World } from '../world.ts'

export const HOST = '10.9.0.2'
export const PEER = '10.9.0.66'
const HOST_MAC = '02:00:00:00:00:0b'
const PEER_MAC = '02:00:00:00:00:66'
const LINK = 'peer:e0'
const LETTERS = ['F', 'S', 'R', 'P', 'A']

export interface Said {
  readonly flags: string
  readonly sequence: number
  readonly ack?: number
  readonly window?: number
  readonly data?: Uint8Array | string
  /** As hex. */
  readonly options?: string
  readonly tos?: number
}

export interface Heard {
  /** Milliseconds of the model's clock. */
  readonly time: number
  readonly flags: string
  readonly sequence: number
  readonly ack: number
  readonly window: number
  readonly identification: number
  readonly dontFragment: boolean
  readonly tos: number
  readonly ttl: number
  readonly length: number
  readonly data: Uint8Array
  readonly options: TcpOptions
  /** Bytes of options, as hex. */
  readonly rawOptions: string
}

export class Peer {
  readonly world = new World()
  readonly port: number
  #serverPort: number

  constructor(port: number, serverPort: number, world?: World) {
    if (world) this.world = world
    else {
      this.world.pair(LINK, '02:00:00:00:00:0a', 'host:e0', HOST_MAC)
      const host = this.world.in('host')
      host.addresses.add({ link: 'e0', prefix: `${HOST}/24` })
      host.neighbours.add({ link: 'e0', address: PEER, mac: PEER_MAC })
      this.world.take()
    }
    this.port = port
    this.#serverPort = serverPort
  }

  get host() {
    return this.world.in('host')
  }

  say({ flags, sequence, ack = 0, window = 1000, data = '', options = '', tos = 0 }: Said): void {
    const payload = typeof data === 'string' ? new TextEncoder().encode(data) : data
    const segment = encodeTcp(
      {
        sourcePort: this.port,
        destinationPort: this.#serverPort,
        sequence: sequence >>> 0,
        acknowledgment: ack >>> 0,
        flags: LETTERS.reduce((bits, letter, i) => bits | (flags.includes(letter) ? 1 << i : 0), 0),
        window,
        urgentPointer: 0,
        options: decodeOptions('TCP', fromHex(options), 20),
        payload,
      },
      { source: PEER, destination: HOST },
    )
    this.frame(IpProtocol.tcp, segment, { tos })
  }

  frame(
    protocol: number,
    payload: Uint8Array,
    { tos = 0, source = PEER, destination = HOST }: { tos?: number; source?: string; destination?: string } = {},
  ): void {
    const packet = encodeIpv4({
      tos,
      identification: 7,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol,
      source,
      destination,
      options: [],
      payload,
    })
    const frame = encodeEthernet({
      destination: HOST_MAC,
      source: PEER_MAC,
      tags: [],
      etherType: EtherType.ipv4,
      payload: packet,
    })
    this.world.send(LINK, toHex(frame))
  }

  /** What died at the host since the last call: `REASON@function`. */
  drops(): string[] {
    return this.world
      .takeDrops()
      .filter((drop) => drop.includes(' at host:e0'))
      .map((drop) => drop.split(' ')[0]!)
  }

  /** The segments that came since the last call. */
  hear(): Heard[] {
    return this.world.seen
      .splice(0)
      .filter(({ at, direction }) => at === LINK && direction === 'in')
      .flatMap(({ hex, time }) => {
        const ethernet = decodeEthernet(fromHex(hex))
        if (ethernet.etherType !== EtherType.ipv4) return []
        const ip = decodeIpv4(ethernet.payload)
        if (ip.protocol !== IpProtocol.tcp) return []
        const tcp = decodeTcp(ip.payload)
        if (tcp.destinationPort !== this.port) return []
        const headerLength = ip.payload.length - tcp.payload.length
        return {
          time,
          flags: LETTERS.filter((_, i) => tcp.flags & (1 << i)).join(''),
          sequence: tcp.sequence,
          ack: tcp.acknowledgment,
          window: tcp.window,
          identification: ip.identification,
          dontFragment: ip.dontFragment,
          tos: ip.tos,
          ttl: ip.ttl,
          length: tcp.payload.length,
          data: tcp.payload,
          options: tcpOptions(tcp.options),
          rawOptions: toHex(ip.payload.subarray(20, headerLength)),
        }
      })
  }
}
