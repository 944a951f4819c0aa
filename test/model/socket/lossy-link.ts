/** Two hosts, and a wire between them that a test has in its hands: it loses, repeats and reorders frames. */
import { toHex, World } from '../world.ts'

export interface Wire {
  /** Whether this frame is lost, comes twice, or comes late. */
  fate(frame: Uint8Array): 'arrives' | 'lost' | 'twice' | 'late'
}

export const CLIENT = '10.8.0.1'
export const SERVER = '10.8.0.2'

export class LossyLink {
  readonly world = new World()
  readonly #wire: Wire
  #late: { readonly to: string; readonly frame: Uint8Array }[] = []

  constructor(wire: Wire) {
    this.#wire = wire
    const { world } = this
    world.pair('client:eth0', '02:00:00:00:08:01', 'wire:left', '02:00:00:00:08:f1')
    world.pair('server:eth0', '02:00:00:00:08:02', 'wire:right', '02:00:00:00:08:f2')
    for (const [name, own, other, mac] of [
      ['client', CLIENT, SERVER, '02:00:00:00:08:02'],
      ['server', SERVER, CLIENT, '02:00:00:00:08:01'],
    ] as const) {
      world.in(name).addresses.add({ link: 'eth0', prefix: `${own}/24` })
      world.in(name).neighbours.add({ link: 'eth0', address: other, mac })
    }
    for (const [from, to] of [
      ['left', 'wire:right'],
      ['right', 'wire:left'],
    ] as const) {
      world.in('wire').packets.capture({ link: from }, ({ bytes, packetType }) => {
        if (packetType !== 'outgoing') this.#carry(bytes, to)
      })
    }
  }

  /** Lets so many milliseconds pass, and what is late arrive. */
  advance(milliseconds: number): void {
    this.world.advance(milliseconds)
    for (const { to, frame } of this.#late.splice(0)) this.world.send(to, toHex(frame))
  }

  #carry(frame: Uint8Array, to: string): void {
    const fate = this.#wire.fate(frame)
    if (fate === 'late') this.#late.push({ to, frame: frame.slice() })
    if (fate === 'arrives' || fate === 'twice') this.world.send(to, toHex(frame))
    if (fate === 'twice') this.world.send(to, toHex(frame))
  }
}
