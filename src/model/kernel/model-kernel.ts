/**
 * The kernel interface over the model: one handle on one namespace. What each part does stands in a file of its own here:
 * text into the tables' values and back, and Linux's errno for every refusal.
 */
import { KernelError } from '../../kernel/errors.ts'
import type { IpSets } from '../../kernel/ipset.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Change, EchoAnswer, EchoRequest, LiveKernel, Subscription, WatchOptions } from '../../kernel/live.ts'
import type { Nftables } from '../../kernel/nftables.ts'
import type { Sockets } from '../../kernel/socket.ts'
import type { Model } from '../model.ts'
import type { Namespace } from '../namespace.ts'
import { ModelAddresses } from './addresses.ts'
import { ModelBridgeVlans } from './bridge-vlans.ts'
import { ModelConntrack } from './conntrack.ts'
import { ModelFdb } from './fdb.ts'
import { ModelLinks } from './links.ts'
import type { ModelNamespaces } from './names.ts'
import { ModelNeighbours } from './neighbours.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { ModelPackets } from './packets.ts'
import { ping } from './ping.ts'
import { ModelRoutes } from './routes.ts'
import { ModelRules } from './rules.ts'
import { ModelSysctl } from './sysctl.ts'
import { ModelTuns } from './tuns.ts'
import { watch } from './watch.ts'

export class ModelKernel implements LiveKernel {
  readonly model: Model
  readonly namespace: Namespace
  readonly namespacePath: string
  readonly links: ModelLinks
  readonly bridgeVlans: ModelBridgeVlans
  readonly addresses: ModelAddresses
  readonly routes: ModelRoutes
  readonly rules: ModelRules
  readonly neighbours: ModelNeighbours
  readonly fdb: ModelFdb
  readonly sysctl: ModelSysctl
  readonly namespaces: ModelNamespaces
  readonly packets: ModelPackets
  readonly tuns: ModelTuns
  readonly conntrack: ModelConntrack
  readonly ipsets: IpSets
  readonly #namespace: NetworkNamespace
  #open = true

  /** The handle holds the namespace until it is closed. */
  constructor(namespaces: ModelNamespaces, namespace: NetworkNamespace, namespacePath: string) {
    namespaces.hold(namespace)
    this.#namespace = namespace
    this.model = namespace.model
    this.namespace = namespace
    this.namespacePath = namespacePath
    this.namespaces = namespaces
    this.links = new ModelLinks(namespace, (kernel) => namespaceOf(kernel, namespace.model))
    this.bridgeVlans = new ModelBridgeVlans(namespace)
    this.addresses = new ModelAddresses(namespace)
    this.routes = new ModelRoutes(namespace)
    this.rules = new ModelRules(namespace)
    this.neighbours = new ModelNeighbours(namespace)
    this.fdb = new ModelFdb(namespace)
    this.sysctl = new ModelSysctl(namespace)
    this.packets = new ModelPackets(namespace)
    this.tuns = new ModelTuns(namespace)
    this.conntrack = new ModelConntrack(namespace)
    this.ipsets = namespace.ipsets
  }

  get nftables(): Nftables {
    return this.namespace.nftables
  }

  get sockets(): Sockets {
    return this.namespace.sockets
  }

  enter(namespacePath: string): ModelKernel | undefined {
    const namespace = this.namespaces.open(namespacePath)
    return namespace && new ModelKernel(this.namespaces, namespace, namespacePath)
  }

  sameNamespace(other: Kernel): boolean {
    return other instanceof ModelKernel && other.namespace === this.namespace
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.namespaces.release(this.#namespace)
  }

  /** The clock moves on until the answer has come: it is there when this returns. */
  ping(destination: string, request?: EchoRequest): Promise<EchoAnswer> {
    return Promise.resolve(ping(this.namespace, destination, request))
  }

  /** The clock stands still: whoever moves it hears the answer. */
  sendPing(destination: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void): void {
    this.namespace.sockets.ping(destination, request, onAnswer)
  }

  watch(
    subjects: readonly Change['subject'][],
    onChange: (change: Change | 'lost') => void,
    { exceptOwnRoutes = false }: WatchOptions = {},
  ): Subscription {
    return watch(this.namespace, subjects, onChange, exceptOwnRoutes ? this.routes : undefined)
  }
}

/** A namespace of this model. */
function namespaceOf(kernel: Kernel, model: Model): Namespace {
  if (kernel instanceof ModelKernel && kernel.model === model) return kernel.namespace
  throw new KernelError('EINVAL', `reach namespace "${kernel.namespacePath}"`, 'it is no namespace of this kernel')
}
