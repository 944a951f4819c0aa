/** A node in memory on which flannel is called again and again, with delegates that are functions and remember what they got. */
import type { Plugin } from '../../../src/cni/plugin.ts'
import { runPlugin } from '../../../src/cni/skel.ts'
import { flannel } from '../../../src/plugins/flannel.ts'
import { Exit, type MemoryHost, memoryHost } from '../../support/memory-host.ts'

export const SUBNET_FILE = '/run/flannel/subnet.env'
export const DATA_DIR = '/var/lib/cni/flannel'

export const env4 = [
  'FLANNEL_NETWORK=10.1.0.0/16',
  'FLANNEL_SUBNET=10.1.17.1/24',
  'FLANNEL_MTU=1472',
  'FLANNEL_IPMASQ=true',
  '',
].join('\n')

const PLUGINS = '/opt/cni/bin'

export interface Received {
  readonly plugin: string
  readonly command: string | undefined
  readonly containerId: string | undefined
  readonly ifName: string | undefined
  readonly netns: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was sent
  readonly configuration: any
  readonly text: string
}

export interface Asked {
  readonly containerId?: string
  readonly ifName?: string
  readonly configuration?: object | string
}

export interface Answered {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was printed
  readonly json: any
}

export interface FlannelNode {
  readonly host: MemoryHost
  /** What delegates were asked, in order. */
  readonly received: Received[]
  /** Verbs that the delegates answer with an error. */
  readonly failing: Set<string>
  ask(verb: string, asked?: Asked): Answered
  /** The scratch files: name to text. */
  scratches(): Record<string, string>
  write(path: string, text: string): void
}

export interface NodeOptions {
  /** What subnet.env says; null: there is none. */
  readonly subnetEnv?: string | null
  readonly delegates?: readonly string[]
  /** Plugins that flannel's executable can be, too. */
  readonly own?: readonly Plugin[]
}

export const minimal = { cniVersion: '1.1.0', name: 'cni-flannel', type: 'flannel' }

export function flannelNode({ subnetEnv = env4, delegates = ['bridge'], own = [] }: NodeOptions = {}): FlannelNode {
  const received: Received[] = []
  const failing = new Set<string>()
  const programs = Object.fromEntries(
    delegates.map((plugin) => [
      `${PLUGINS}/${plugin}`,
      (environment: Readonly<Record<string, string>>, text: string) => {
        const { CNI_COMMAND: command, CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS } = environment
        const configuration = JSON.parse(text)
        received.push({
          plugin,
          command,
          containerId: CNI_CONTAINERID,
          ifName: CNI_IFNAME,
          netns: CNI_NETNS,
          configuration,
          text,
        })
        if (failing.has(command!)) return { status: 1, stdout: JSON.stringify({ code: 42, msg: `${command} fails` }) }
        return { stdout: command === 'ADD' ? JSON.stringify(resultIn(configuration.cniVersion)) : '' }
      },
    ]),
  )
  const host = memoryHost({
    programs,
    ownNames: own.map(({ name }) => `${PLUGINS}/${name}`),
    ...(subnetEnv !== null && { files: { [SUBNET_FILE]: subnetEnv } }),
  })

  return {
    host,
    received,
    failing,
    ask(verb, { containerId = 'c1', ifName = 'eth0', configuration = minimal } = {}) {
      let stdout = ''
      let stderr = ''
      let status = -1
      const forNetwork = verb === 'GC' || verb === 'STATUS'
      try {
        runPlugin(
          flannel,
          undefined,
          {
            ...host,
            environment: {
              CNI_COMMAND: verb,
              CNI_PATH: PLUGINS,
              ...(!forNetwork && {
                CNI_CONTAINERID: containerId,
                CNI_IFNAME: ifName,
                CNI_NETNS: `/run/netns/${containerId}`,
              }),
            },
            readStdin: () =>
              host.encode(typeof configuration === 'string' ? configuration : JSON.stringify(configuration)),
            writeStdout(text) {
              stdout += text
            },
            writeStderr(text) {
              stderr += text
            },
            exit(code) {
              status = code
              throw new Exit(`exit ${code}`)
            },
          },
          { delegates: own },
        )
      } catch (error) {
        if (!(error instanceof Exit)) throw error
      }
      return { status, stdout, stderr, json: stdout === '' ? undefined : JSON.parse(stdout) }
    },
    scratches: () =>
      Object.fromEntries(
        Object.entries(host.tree())
          .filter(([path]) => path.startsWith(`${DATA_DIR}/`))
          .map(([path, text]) => [path.slice(DATA_DIR.length + 1), text]),
      ),
    write(path, text) {
      host.files.makeDirectory(path.slice(0, path.lastIndexOf('/')), 0o755)
      host.files.write(path, text, 0o600)
    },
  }
}

/** What delegates were asked: verb and interface. */
export const commands = ({ received }: FlannelNode) =>
  received.map(({ command, ifName }) => `${command} ${ifName ?? '-'}`)

/** One address, in the shape of the version. */
function resultIn(cniVersion: string | undefined): object {
  if (cniVersion === undefined) return { ip4: { ip: '10.1.17.2/24' } }
  return { cniVersion, ips: [{ version: '4', address: '10.1.17.2/24' }] }
}
