/**
 * The thread of the UDP data path: joins the engine with the kernel's descriptors. It waits in poll(2), so its event
 * loop does not turn: what it is told lies in the port until the eventfd calls, and what it counts lies in shared
 * memory.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { linuxDataPath, type OpenDataPath } from '../linux/data-path.ts'
import { addressOf } from '../linux/sys.addressed.ts'
import { Arena } from '../overlay/udp/arena.ts'
import { summingMemory } from '../overlay/udp/checksum-module.ts'
import { type Command, Engine } from '../overlay/udp/engine.ts'

export interface WorkerData {
  readonly open: OpenDataPath
  readonly port: number
  /** Commands come here. */
  readonly commands: MessagePort
  readonly counts: Float64Array
}

/** Of 64 KiB; the engine takes 6 MiB. */
const PAGES = 128

const { open, port, commands, counts } = workerData as WorkerData
const { memory, sum } = summingMemory(PAGES)
const arena = new Arena(memory, addressOf(new Uint8Array(memory)))
const engine = new Engine({
  arena,
  sum,
  path: linuxDataPath(open, addressOf(arena.bytes)),
  counts,
  port,
  mergesUdp: open.hasUdp,
  clock: () => performance.now(),
  commands: takeCommands,
})
parentPort!.postMessage('ready')
engine.run()
// Or the port would keep the thread alive.
commands.close()

function takeCommands(): Command[] {
  const taken: Command[] = []
  for (;;) {
    const received = receiveMessageOnPort(commands) as { readonly message: Command } | undefined
    if (!received) return taken
    taken.push(received.message)
  }
}
