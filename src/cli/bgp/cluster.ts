/** What makes a running speaker the node of a cluster: a store, what follows from it, and the socket of the node's plugin. */
import { randomBytes } from 'node:crypto'
import { ClusterNode, type NodeConfiguration } from '../../cluster/node.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import { files } from '../../linux/files.ts'
import { responder } from '../../pool/socket-protocol.ts'
import { openStore } from '../../store/open.ts'
import { steadyClock } from '../../store/system-clock.ts'
import type { Log } from '../daemon/log.ts'
import { asUsage } from '../exit.ts'
import { servePlugin } from '../pool/plugin-socket.ts'
import { clusterMemoryIn } from './cluster-memory.ts'

export interface Cluster {
  readonly node: ClusterNode
  /** The others are told that it goes. */
  close(): Promise<void>
}

export interface ClusterSurroundings {
  /** The speaker's handle. */
  readonly kernel: LiveKernel
  /** Directory; undefined: nothing is remembered. */
  readonly state: string | undefined
  readonly log: Log
}

/** CommandError when the store cannot be meant so, or the socket not be had. */
export async function openCluster(
  configuration: NodeConfiguration,
  { kernel, state, log }: ClusterSurroundings,
): Promise<Cluster> {
  const { store: place, node: name, socket } = configuration.cluster
  const store = await asUsage(() =>
    openStore(place, { tryLock: files.tryLock, report: (problem) => log('warn', 'store', problem) }),
  )
  const node = new ClusterNode({
    configuration,
    store,
    kernel,
    clock: steadyClock,
    randomBytes: (length) => randomBytes(length),
    memory: state === undefined ? undefined : clusterMemoryIn(state),
    notice: (level, text) => log(level, 'cluster', text),
  })
  try {
    const server = await servePlugin(
      socket,
      responder(store, () => node.asker),
    )
    log('info', 'cluster', `Node "${name}" of the ${store.name}; its plugin asks at "${socket}"`)
    return {
      node,
      async close() {
        server.close()
        await node.close()
        store.close()
      },
    }
  } catch (error) {
    await node.close()
    store.close()
    throw error
  }
}
