/**
 * Daemons of a lab on the real kernel: `overlab daemon`, a process each, in its node's namespace. It outlives the command that
 * starts it; daemon.json says which process it is, and daemon.log what it said. How it is, it is asked by HTTP.
 */
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { KernelError } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { DaemonCondition, DaemonPlace, Daemons } from '../lab/daemons.ts'
import { host } from '../linux/host.ts'
import { forgetNetwork } from './daemon/other-networks.ts'
import { nodeCommand } from './ends-with-us.ts'
import { nodeProcesses } from './lab-process.ts'
import { request } from './plain-http.ts'

const MAIN = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'main.ts' : 'main.js')

/** Of /readyz and /metrics, on the loopback of every node's own namespace: beside udp's 8285. */
const HEALTH_PORT = 8286
const TUN = '/dev/net/tun'

const processOf = ({ directory }: DaemonPlace) => nodeProcesses(directory, 'daemon')

const nobody: DaemonCondition = { isRunning: false, isReady: false, problems: [], warnings: [], peers: 0, refused: 0 }

export function linuxDaemons(machineKernel: LiveKernel): Daemons {
  return {
    requireBackend(backend) {
      if (backend !== 'udp') return
      try {
        closeSync(openSync(TUN, 'r+'))
      } catch (error) {
        const { code = 'EIO' } = error as NodeJS.ErrnoException
        throw new KernelError(code, `open "${TUN}" for the backend udp`)
      }
    },

    start(place) {
      processOf(place).start(place.namespacePath, [nodeCommand(MAIN, 'daemon', ...flagsOf(place))], environment())
    },

    kill(place) {
      processOf(place).kill()
    },

    forget({ subnetFile, namespacePath }) {
      forgetNetwork(subnetFile, host.files.status(namespacePath)?.inode)
    },

    async condition(place) {
      if (!processOf(place).areAlive) return nobody
      const kernel = machineKernel.enter(place.namespacePath)
      if (!kernel) return nobody
      try {
        const [health, metrics] = await Promise.all(
          ['/readyz', '/metrics'].map((path) => request(kernel, { address: '127.0.0.1', port: HEALTH_PORT }, path)),
        )
        const lines = health?.body.split('\n') ?? []
        const told = (kind: string) =>
          lines.flatMap((line) => (line.startsWith(`${kind}: `) ? [line.slice(kind.length + 2)] : []))
        const figure = (name: string) =>
          Number(new RegExp(`^overlab_${name} (\\d+)$`, 'm').exec(metrics?.body ?? '')?.[1] ?? 0)
        return {
          isRunning: true,
          isReady: health?.status === 200,
          problems: health ? told('problem') : ['it does not answer yet'],
          warnings: told('warning'),
          peers: figure('peers'),
          refused: figure('kernel_refused'),
        }
      } finally {
        kernel.close()
      }
    },

    lastWords: (place) => processOf(place).lastWords,
  }
}

function flagsOf({ store, networkConfig, link, subnetFile }: DaemonPlace): string[] {
  const flags = {
    store: `file:${store}`,
    'network-config': networkConfig,
    iface: link,
    'subnet-file': subnetFile,
    'healthz-port': HEALTH_PORT,
    'ip-masq': true,
  }
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}

/** Ours, without what is meant for a daemon of the machine's own. */
function environment(): NodeJS.ProcessEnv {
  const others = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('FLANNELD_') && !others.includes(name)),
  )
}
