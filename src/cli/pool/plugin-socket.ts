/**
 * The socket by which a node's plugin asks for addresses: of this machine, for its owner alone. A line is a request, and a line its
 * answer: pool/socket-protocol.ts.
 */
import { createServer, type Socket } from 'node:net'
import { LONGEST_REQUEST } from '../../pool/socket-protocol.ts'
import { listenAt } from '../bgp/control-server.ts'
import { linesOf } from '../bgp/lines.ts'

/** CommandError when the socket cannot be had. */
export async function servePlugin(
  path: string,
  respond: (line: string) => Promise<string>,
): Promise<{ close(): void }> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => socket.destroy()) // whoever asked is gone
    socket.on('close', () => open.delete(socket))
    void answer(socket, respond)
  })
  await listenAt(server, path)
  return {
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

async function answer(socket: Socket, respond: (line: string) => Promise<string>): Promise<void> {
  try {
    for await (const line of linesOf(socket.iterator({ destroyOnReturn: false }), LONGEST_REQUEST)) {
      socket.write(`${await respond(line)}\n`)
    }
    socket.end()
  } catch {
    socket.destroy() // the connection has broken off, or the line never ends
  }
}
