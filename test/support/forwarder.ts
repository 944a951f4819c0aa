/** A way to a TCP server that a test can cut. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export class Forwarder {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0
  #isSilent = false

  constructor(port: number, host = '127.0.0.1') {
    this.#target = { host, port }
  }

  get port(): number {
    return this.#port
  }

  /** On the same port as before. */
  async open(): Promise<void> {
    this.#server = createServer((socket) => this.#join(socket)).listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as { port: number }).port
  }

  /** Connections break, and new ones are refused. */
  async cut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    if (server) await once(server.close(), 'close')
  }

  /** Nothing passes any more, and nobody is told: as when a cable is pulled. */
  silence(): void {
    this.#isSilent = true
    for (const socket of this.#sockets) socket.pause()
  }

  resume(): void {
    this.#isSilent = false
    for (const socket of this.#sockets) socket.resume()
  }

  #join(socket: Socket): void {
    const other = connect(this.#target)
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (bytes) => to.write(bytes))
      from.on('error', () => from.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      if (this.#isSilent) from.pause()
    }
  }
}
