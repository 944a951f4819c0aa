/** Runs a daemon on this machine's kernel, until somebody ends it. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { JsonError } from '../../json/errors.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import { files } from '../../linux/files.ts'
import { liveLinux } from '../../linux/live.ts'
import { parseConfig } from '../../overlay/config.ts'
import { Daemon, type DaemonNotice } from '../../overlay/daemon.ts'
import { networkKeys } from '../../overlay/lease-key.ts'
import { cleanUp } from '../../overlay/leftovers.ts'
import { parseSubnetFile } from '../../overlay/subnet-file.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { steadyClock } from '../../store/system-clock.ts'
import { CommandError, Exit } from '../exit.ts'
import { print } from '../output.ts'
import { startUdpEngine } from '../udp-engine.ts'
import { describeFlags, parseFlags } from './flags.ts'
import { type Level, type Log, openLog } from './log.ts'
import { memoryGiver } from './memory.ts'
import type { Metrics } from './metrics.ts'
import { serviceManager } from './notify.ts'
import { otherNetworks } from './other-networks.ts'
import { readSettings, type Settings } from './settings.ts'
import { subnetFileAt } from './subnet-file.ts'

/** The exit status: 0 when somebody ended it. CommandError when it cannot begin. */
export async function runDaemon(argv: readonly string[], version: string): Promise<number> {
  const flags = parseFlags(argv, process.env)
  const isAsked = (name: string) => flags.get(name)![0] === 'true'
  if (isAsked('help')) return said(describeFlags())
  if (isAsked('version')) return said(`overlab ${version}`)
  const settings = readSettings(flags)
  const kernel = liveLinux()
  if (isAsked('cleanup')) return removeAll(kernel, settings)
  return await keepNode(kernel, settings, version)
}

function said(text: string): number {
  print('text', text, () => text)
  return Exit.yes
}

async function keepNode(kernel: LiveKernel, settings: Settings, version: string): Promise<number> {
  const log = openLog(settings.logFormat, settings.logLevel)
  const store = await openStoreOf(settings, log)
  const { createMetrics } = await import('./metrics.ts')
  const ending = endings()
  const manager = serviceManager(process.env)
  const metrics: Metrics = createMetrics(version, () => daemon.condition)
  const daemon = new Daemon({
    ...settings,
    store,
    kernel,
    clock: steadyClock,
    random: Math.random,
    randomBytes: (length) => randomBytes(length),
    subnetFile: subnetFileAt(settings.subnetFile),
    startUdp: startUdpEngine,
    otherNetworks: otherNetworks(settings.subnetFile),
    events: {
      notice(notice) {
        tell(log, notice)
        metrics.countNotice(notice.subject, notice.level)
        if (notice.level !== 'info') manager.status(notice.message)
      },
      ready() {
        const { backend, subnets } = daemon.condition
        log('info', 'daemon', `Ready: backend ${backend}, ${subnets.join(' and ')}`)
        warnOfForwarding(kernel, log)
        manager.ready()
        manager.status(`Backend ${backend}, ${subnets.join(' and ')}`)
      },
      failed: ending.fail,
      changed: (operations, cause) => metrics.countOperations(operations, cause),
      worked: memoryGiver(),
    },
  })
  let server: Server | undefined
  try {
    log('info', 'daemon', `overlab ${version} begins, process ${process.pid}, with the ${store.name}`)
    void checkStore(store, settings, log).catch(ending.fail)
    if (settings.listen) server = await serve(settings.listen, daemon, metrics)
    const signal = await ending.ended
    log('info', 'daemon', `${signal}: ending; the data path stays`)
    manager.stopping()
    return Exit.yes
  } finally {
    server?.close()
    server?.closeAllConnections()
    await daemon.close()
    store.close()
    kernel.close()
    // A call to a store that does not answer is no reason to stay.
    setImmediate(() => process.exit())
  }
}

async function openStoreOf({ store }: Settings, log: Log): Promise<Store> {
  const { openStore } = await import('../../store/open.ts')
  try {
    return openStore(store, { tryLock: files.tryLock, report: (problem) => log('warn', 'store', problem) })
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError(Exit.usage, error.message)
    throw error
  }
}

/** Whoever is refused by the store need not try for ever; and a store that has no configuration may be given one. */
async function checkStore(store: Store, { prefix, networkConfig }: Settings, log: Log): Promise<void> {
  const key = networkKeys(prefix).config
  const value = networkConfig === undefined ? undefined : readConfig(networkConfig)
  for (;;) {
    try {
      if ((await store.get(key)) || value === undefined) return
      if (await store.transact([{ key, revision: undefined }], [{ put: key, value }])) {
        log('info', 'config', `Put "${networkConfig}" into the ${store.name} as "${key}"`)
      }
      return
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind === 'refused') throw error
      await new Promise((resolve) => setTimeout(resolve, STORE_PAUSE).unref())
    }
  }
}

/** Milliseconds. */
const STORE_PAUSE = 2000

function readConfig(path: string): string {
  try {
    const text = readFileSync(path, 'utf8')
    parseConfig(text)
    return text
  } catch (error) {
    if (!(error instanceof JsonError) && (error as NodeJS.ErrnoException).code === undefined) throw error
    throw new CommandError(Exit.no, `Cannot use the network configuration "${path}": ${(error as Error).message}`)
  }
}

async function serve(listen: NonNullable<Settings['listen']>, daemon: Daemon, metrics: Metrics): Promise<Server> {
  const { serveHealth } = await import('./health.ts')
  try {
    return await serveHealth('overlab daemon', listen, () => daemon.condition, metrics)
  } catch (error) {
    throw new CommandError(
      Exit.no,
      `Cannot serve health at ${listen.ip}, port ${listen.port}: ${(error as Error).message}`,
    )
  }
}

/** The first signal ends it in order; the second finds no handler and kills at once. */
function endings() {
  const { promise: ended, resolve, reject } = Promise.withResolvers<string>()
  const signals = ['SIGINT', 'SIGTERM'] as const
  const onSignal = (signal: string) => {
    for (const each of signals) process.off(each, onSignal)
    resolve(signal)
  }
  for (const each of signals) process.on(each, onSignal)
  const fail = (error: Error) => {
    const isOurs = error instanceof CommandError || !(error instanceof RangeError || error instanceof StoreError)
    reject(isOurs ? error : new CommandError(Exit.no, error.message))
  }
  return { ended, fail }
}

const LEVELS: Readonly<Record<DaemonNotice['level'], Level>> = { info: 'info', warning: 'warn', error: 'error' }

function tell(log: Log, { level, subject, message, key }: DaemonNotice): void {
  log(LEVELS[level], subject, message, key === undefined ? {} : { key })
}

/** The bridge plugin switches it on with the first pod that has a gateway; whoever uses another one must. */
function warnOfForwarding(kernel: LiveKernel, log: Log): void {
  if (kernel.sysctl.get('net/ipv4/ip_forward') === '1') return
  log('warn', 'kernel', 'This node does not forward IPv4 (net.ipv4.ip_forward is 0): its pods are reached once it does')
}

/** `--cleanup`. */
function removeAll(kernel: LiveKernel, { subnetFile }: Settings): number {
  const file = subnetFileAt(subnetFile)
  const { done, refused } = cleanUp(kernel, parseSubnetFile(file.read() ?? ''))
  file.remove()
  otherNetworks(subnetFile).withdraw()
  const [first] = refused
  if (first) throw new CommandError(Exit.environment, `Cannot remove everything: ${first.error.message}`)
  return said(done.length === 0 ? 'There was nothing to remove' : `Removed ${done.length} things`)
}
