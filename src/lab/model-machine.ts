/**
 * A machine that is all model: the kernel of model/, files in memory, and as programs our own plugins, called instead of
 * executed. What takes a container runtime and root on Linux takes nothing here.
 *
 * Time is the model's. A plugin that sleeps, or a command that waits, lets it pass.
 */
import type { Files, Host, ProgramResult } from '../cni/host.ts'
import type { Plugin } from '../cni/plugin.ts'
import { runPlugin } from '../cni/skel.ts'
import { runEach, runWords } from '../command/run.ts'
import { KernelError } from '../kernel/errors.ts'
import type { LiveKernel, Subscription } from '../kernel/live.ts'
import { createModel, type ModelKernel } from '../model/create.ts'
import { Impairment } from '../model/device/impairment.ts'
import type { Profile } from '../model/profile/profile.ts'
import { blockIpam } from '../plugins/block-ipam.ts'
import { bridge } from '../plugins/bridge.ts'
import { flannel } from '../plugins/flannel.ts'
import { hostLocal } from '../plugins/host-local.ts'
import { loopback } from '../plugins/loopback.ts'
import { routed } from '../plugins/routed.ts'
import { staticIpam } from '../plugins/static.ts'
import { parseElsewhere, siblingPath } from './elsewhere.ts'
import { parseImpair } from './impair.ts'
import type { Machine } from './machine.ts'
import { memoryFiles } from './memory-files.ts'
import { ModelDaemons, passTime } from './model-daemons.ts'
import { ModelSpeakers } from './model-speakers.ts'

export interface ModelMachine extends Machine {
  readonly kernel: ModelKernel
  readonly speakers: ModelSpeakers
  /** From now on something answers at this port (`tcp/8080`) in the namespace. */
  answerAt(namespacePath: string, port: string): Subscription
}

const PLUGIN_DIRECTORY = '/opt/cni/bin'
const EXECUTABLE = `${PLUGIN_DIRECTORY}/overlab-cni`
const STATE_DIRECTORY = '/run/overlab/lab'

/** Microseconds of the model's clock in a millisecond. */
const MICROSECONDS = 1000

const plugins: readonly Plugin[] = [blockIpam, bridge, flannel, hostLocal, loopback, routed, staticIpam]

/** Ends a plugin's call, as its process would end there. */
class Exit extends Error {
  override name = 'Exit'
}

export function modelMachine(options: { readonly profile?: Profile; readonly seed?: number } = {}): ModelMachine {
  const kernel = createModel(options)
  const files = memoryFiles(() => Math.floor(kernel.model.clock.now / MICROSECONDS))
  files.makeDirectory(PLUGIN_DIRECTORY, 0o755)
  files.write(EXECUTABLE, '', 0o755)
  // One file with a name for each plugin, as the build makes it: so one calls another instead of executing it.
  for (const { name } of plugins) files.link(EXECUTABLE, `${PLUGIN_DIRECTORY}/${name}`)
  const host = createHost(kernel, files)
  const inside = (path: string): ModelKernel => {
    const entered = kernel.enter(path)
    if (!entered) throw new KernelError('ENOENT', `enter network namespace "${path}"`)
    return entered
  }
  return {
    kernel,
    host,
    hostIn: (path) => ({ ...host, run: (...program) => runProgram(inside(path), host, ...program) }),
    runLine: (path, line, readStdin) =>
      runEach(line, (words) => {
        const elsewhere = parseElsewhere(words)
        const place = elsewhere ? siblingPath(path, elsewhere) : path
        return runWords(elsewhere?.words ?? words, {
          kernel: inside(place),
          now: host.monotonic,
          sleep: async (milliseconds) => host.sleep(milliseconds),
          ...(readStdin && { readStdin }),
        })
      }),
    impair(path, link, impair) {
      inside(path).namespace.devices.get(link)!.impairment = new Impairment(parseImpair(impair))
    },
    answerAt: (path, port) => answerAt(inside(path), port),
    async listen(path, ports) {
      const open = ports.map((port) => answerAt(inside(path), port))
      return {
        close() {
          for (const each of open) each.close()
        },
      }
    },
    until: (done, milliseconds) => passTime(kernel.model, done, milliseconds),
    stateDirectory: STATE_DIRECTORY,
    pluginDirectories: [PLUGIN_DIRECTORY],
    processes: {
      own: { id: 1, started: '0' },
      isAlive: () => true,
      inNamespace: () => [],
      end() {},
    },
    daemons: new ModelDaemons(kernel, files),
    speakers: new ModelSpeakers(kernel, files),
  }
}

/** `tcp/8080`: whatever comes is sent back. RangeError when the port is taken, or the protocol is not modelled. */
function answerAt({ sockets }: LiveKernel, text: string): Subscription {
  const [protocol, number] = text.split('/')
  const port = Number(number)
  try {
    if (protocol === 'tcp') {
      return sockets.listenTcp({ port }, () => ({
        data: (connection, bytes) => connection.write(bytes),
        end: (connection) => connection.end(),
      }))
    }
    if (protocol === 'udp') {
      const socket = sockets.bindUdp(
        { port },
        {
          // Whom no answer reaches gets none: ENETUNREACH, EINVAL for port 0 …
          datagram: (from, bytes) => ignoringRefusals(() => socket.send(from, bytes)),
        },
      )
      return socket
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
    throw new RangeError(`Cannot listen at "${text}": ${error.errno}`, { cause: error })
  }
  throw new RangeError(`Cannot listen at "${text}": not modelled: ${protocol}`)
}

function ignoringRefusals(call: () => void): void {
  try {
    call()
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
  }
}

function createHost(kernel: ModelKernel, files: Files): Host {
  const { model } = kernel
  const encoder = new TextEncoder()
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const milliseconds = () => model.clock.now / MICROSECONDS
  return {
    environment: {},
    readStdin: () => new Uint8Array(),
    stdinIsReady: () => true,
    writeStdout() {},
    writeStderr() {},
    exit(status) {
      throw new Exit(`exit ${status}`)
    },
    files,
    now: milliseconds,
    monotonic: milliseconds,
    sleep: (duration) => model.advance(duration * MICROSECONDS),
    random: (length) => Uint8Array.from({ length }, () => model.random.below('host', 256)),
    encode: (text) => encoder.encode(text),
    decode: (bytes) => decoder.decode(bytes),
    executable: () => EXECUTABLE,
    ask(path) {
      throw new KernelError('ECONNREFUSED', `ask at "${path}"`)
    },
    run(path) {
      throw new KernelError('ENOENT', `run "${path}" outside of a node`)
    },
  }
}

/** Calls the plugin that the program's path names. */
function runProgram(
  kernel: LiveKernel,
  host: Host,
  ...[path, , { environment, stdin }]: Parameters<Host['run']>
): ProgramResult {
  const plugin = plugins.find(({ name }) => path.endsWith(`/${name}`))
  if (!plugin) throw new KernelError('ENOENT', `run "${path}"`)
  let status = 0
  let stdout = ''
  let stderr = ''
  const own: Host = {
    ...host,
    environment,
    readStdin: () => stdin,
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
    executable: () => path,
  }
  try {
    runPlugin(plugin, kernel, own, { delegates: plugins.filter((each) => each !== plugin) })
  } catch (error) {
    if (!(error instanceof Exit)) throw error
  }
  return { status, stdout: host.encode(stdout), stderr: host.encode(stderr) }
}
