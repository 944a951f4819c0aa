/**
 * The socket by which a speaker is asked and told things: of this machine, for its owner alone. A line is a request, its answer
 * lines (bgp/control/). A table is written as fast as it is read, and no faster; between two lines everything else has its turn.
 */
import { lstatSync, mkdirSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { answer, type Controlled, type ErrorAnswer } from '../../bgp/control/answer.ts'
import { CommandError, Exit } from '../exit.ts'
import { linesOf } from './lines.ts'

/** Nobody but the owner. */
const ONLY_US = 0o177

export interface ControlServer {
  close(): void
}

export async function serveControl(path: string, controlled: Controlled): Promise<ControlServer> {
  const sockets = new Set<Socket>()
  // Who asks may say at once that there will be no more questions.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()) // whoever asked is gone
    socket.on('close', () => sockets.delete(socket))
    void serve(socket, controlled)
  })
  await listenAt(server, path)
  return {
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function serve(socket: Socket, controlled: Controlled): Promise<void> {
  try {
    for await (const line of linesOf(socket.iterator({ destroyOnReturn: false }))) {
      for await (const text of answer(line, controlled)) {
        if (socket.destroyed) return
        if (!socket.write(`${text}\n`)) await drained(socket)
        else await turn()
      }
    }
    socket.end()
  } catch (error) {
    // Too long a line, or the connection has broken off.
    const refusal = { error: { kind: 'request', message: (error as Error).message } satisfies ErrorAnswer }
    socket.end(`${JSON.stringify(refusal)}\n`, () => socket.destroy())
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * CommandError when the socket cannot be had: another process is behind it, or the path is wrong. One that is left of a process
 * that was killed is replaced.
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  await removeStale(path)
  await listen(server, path)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => reject(cannot(path, error.message))
    server.once('error', refuse)
    const mask = process.umask()
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
      process.umask(ONLY_US)
      server.listen(path, () => {
        server.off('error', refuse)
        resolve()
      })
    } catch (error) {
      refuse(error as Error)
    } finally {
      process.umask(mask)
    }
  })
}

/** A socket that nobody listens behind. */
async function removeStale(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (!status) return
  if (!status.isSocket()) throw cannot(path, 'something else is there')
  if (await isAnswered(path)) throw cannot(path, 'another process listens there')
  rmSync(path, { force: true })
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function cannot(path: string, why: string): CommandError {
  return new CommandError(Exit.environment, `Cannot listen at "${path}": ${why}`)
}
