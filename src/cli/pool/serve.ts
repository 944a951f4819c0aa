/** Answers this node's plugin by a unix socket, until somebody ends it: pool/socket-protocol.ts. */
import type { Labels } from '../../pool/selector.ts'
import { responder } from '../../pool/socket-protocol.ts'
import { type Level, openLog } from '../daemon/log.ts'
import { CommandError, Exit } from '../exit.ts'
import type { StoreFlags } from './flags.ts'
import { servePlugin } from './plugin-socket.ts'
import { openPoolStore } from './store.ts'

interface ServeOptions extends StoreFlags {
  readonly node: string
  readonly label: readonly string[]
  readonly socket: string
  readonly logFormat: 'text' | 'json'
  readonly logLevel: Level
}

/** The exit status: 0 when somebody ended it. CommandError when it cannot begin. */
export async function serve(options: ServeOptions, version: string): Promise<number> {
  const { node, socket: path } = options
  const labels = labelsIn(options.label)
  const log = openLog(options.logFormat, options.logLevel)
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
  const store = await openPoolStore(options, (problem) => log('warn', 'store', problem))
  const server = await servePlugin(
    path,
    responder(store, () => ({ node, labels })),
  )
  log('info', 'pool', `overlab ${version} answers for node "${node}" at "${path}", from ${store.name}`)
  log('info', 'pool', `${await ended}: ending`)
  server.close()
  store.close()
  return Exit.yes
}

function labelsIn(texts: readonly string[]): Labels {
  return Object.fromEntries(
    texts.map((text) => {
      const [key, value, ...more] = text.split('=')
      if (!key || value === undefined || more.length > 0) {
        throw new CommandError(Exit.usage, `Cannot use --label ${text}: give KEY=VALUE`)
      }
      return [key, value]
    }),
  )
}
