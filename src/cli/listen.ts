/**
 * What listens in a pod of a lab on the real kernel: `listen.ts tcp/8080 udp/53`, a process of its own in the pod's namespace.
 * Whatever comes is sent back. It writes one line when all ports are open.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

for (const text of process.argv.slice(2)) {
  const [protocol, port] = text.split('/')
  if (protocol === 'tcp') {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy()) // whoever called is gone
      socket.pipe(socket)
    })
    server.listen(Number(port))
    await once(server, 'listening')
  } else if (protocol === 'udp') {
    const socket = createSocket('udp4')
    socket.on('error', () => {}) // whoever sent has no way back
    socket.on('message', (bytes, { address, port: from }) => {
      if (from !== 0) socket.send(bytes, from, address)
    })
    socket.bind(Number(port))
    await once(socket, 'listening')
  } else {
    throw new RangeError(`Cannot listen at "${text}": ${protocol} is neither tcp nor udp`)
  }
}
process.stdout.write('ready\n')
