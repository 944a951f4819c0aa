/**
 * BGP in the model: the speaker that runs on Linux, over the model's TCP and on its clock, with its routes in the model's tables.
 * A router of another make is ours here, too, by the same settings.
 */

import { readConfig } from '../bgp/config.ts'
import { conditionOf } from '../bgp/control/answer.ts'
import { keyIn } from '../bgp/control/scope.ts'
import { formatPrefixKey } from '../bgp/nlri.ts'
import { KernelFib } from '../bgp/node/kernel-fib.ts'
import { KernelNode } from '../bgp/node/kernel-node.ts'
import { SocketTransport } from '../bgp/socket-transport.ts'
import { Speaker } from '../bgp/speaker.ts'
import { ROUTE_PROTOCOL } from '../bgp/speaker-settings.ts'
import { routeRows, type WhyRow, why } from '../bgp/views.ts'
import type { Files } from '../cni/host.ts'
import type { ModelKernel } from '../model/create.ts'
import type { Clock } from '../store/clock.ts'
import { modelClock } from './model-clock.ts'
import { ModelProcess } from './model-process.ts'
import { CONFIG, type SpeakerCondition, type SpeakerPlace, type Speakers } from './speakers.ts'

/** What it said last. */
const WORDS = 10

interface Running {
  readonly process: ModelProcess
  readonly speaker: Speaker
  readonly kernel: ModelKernel
  readonly node: KernelNode
  readonly fib: KernelFib
}

export class ModelSpeakers implements Speakers {
  readonly #kernel: ModelKernel
  readonly #files: Files
  readonly #clock: Clock
  /** By path of the namespace. */
  readonly #running = new Map<string, Running>()
  readonly #words = new Map<string, string[]>()

  constructor(kernel: ModelKernel, files: Files) {
    this.#kernel = kernel
    this.#files = files
    this.#clock = modelClock(kernel.model)
  }

  requirePrograms(): void {}

  start({ namespacePath, directory }: SpeakerPlace, { restarted }: { readonly restarted: boolean }): void {
    const kernel = this.#kernel.enter(namespacePath)!
    const process = new ModelProcess(this.#clock, kernel.sockets)
    const { clock, sockets } = process
    const { random } = this.#kernel.model
    const settings = readConfig(JSON.parse(this.#files.read(`${directory}/${CONFIG}`)!), { readSecret: refuseSecrets })
    const words: string[] = []
    this.#words.set(namespacePath, words)
    const node = new KernelNode(kernel, clock, settings.kernel?.protocol ?? ROUTE_PROTOCOL)
    const fib = new KernelFib({ kernel, clock, node })
    const speaker = new Speaker({
      settings,
      transport: new SocketTransport(sockets, clock),
      clock,
      random: () => random.bits('bgp') / 2 ** 32,
      node,
      fib,
      startBfd: undefined,
      restarted,
      log: (level, text) => words.push(`${level} ${text}`),
    })
    this.#running.set(namespacePath, { process, speaker, kernel, node, fib })
  }

  kill({ namespacePath }: SpeakerPlace): void {
    const running = this.#running.get(namespacePath)
    if (!running) return
    this.#running.delete(namespacePath)
    const { process, kernel, node, fib } = running
    process.kill()
    fib.close('leave')
    node.close()
    kernel.close()
  }

  async condition(place: SpeakerPlace): Promise<SpeakerCondition> {
    return this.conditionNow(place)
  }

  conditionNow({ namespacePath }: SpeakerPlace): SpeakerCondition {
    const running = this.#running.get(namespacePath)
    if (!running) return { kind: 'overlab', isRunning: false, sessions: undefined }
    const { speaker, fib } = running
    const neighbours = speaker.neighbours()
    const sessions = {
      established: neighbours.filter(({ state }) => state === 'Established').length,
      wanted: neighbours.length,
      problems: conditionOf(speaker).problems,
      prefixes: [...routeRows(speaker.ribs, 'ipv4')].flatMap(({ prefix, best, stale }) =>
        best && !stale ? [prefix] : [],
      ),
      isSettled: fib.isSettled,
    }
    return { kind: 'overlab', isRunning: true, sessions }
  }

  async why(place: SpeakerPlace, address: string): Promise<readonly WhyRow[] | undefined> {
    return this.whyNow(place, address)
  }

  whyNow({ namespacePath }: SpeakerPlace, address: string): readonly WhyRow[] | undefined {
    const ribs = this.#running.get(namespacePath)?.speaker.ribs
    if (!ribs) return undefined
    const key = keyIn(ribs.tables.ipv4, address)
    return key === undefined ? [] : why(ribs, formatPrefixKey(key))
  }

  lastWords({ namespacePath }: SpeakerPlace): readonly string[] {
    return this.#words.get(namespacePath)?.slice(-WORDS) ?? []
  }
}

function refuseSecrets(file: string): string {
  throw new Error(`cannot be read in the model: ${file}`)
}
