/**
 * The flags of `overlab daemon`: flanneld's, where they mean the same, and our own. As Go's package flag reads them: `-x` and
 * `--x` are one, a value stands behind `=` or is the next argument, a flag that is true or false needs none. What the command
 * line does not say, a variable of the environment may: `FLANNELD_ETCD_ENDPOINTS` for --etcd-endpoints.
 *
 * flanneld ignores a variable that it cannot read, with a line in its log; here it is refused as a flag is.
 */
import { CommandError, Exit } from '../exit.ts'

export interface Flag {
  readonly name: string
  /** What its value is called in the help; `undefined`: it is true or false. */
  readonly value?: string
  /** The default as text; left out: none, or false. */
  readonly default?: string
  readonly isRepeatable?: true
  readonly help: string
}

/** Of flanneld that we do not have, and what there is instead. */
const REFUSED: Readonly<Record<string, string>> = {
  'kube-subnet-mgr': 'leases are kept in etcd or in a directory: use --etcd-endpoints, or --store file:DIRECTORY',
  'kube-api-url': 'leases are kept in etcd or in a directory: use --etcd-endpoints',
  'kubeconfig-file': 'leases are kept in etcd or in a directory: use --etcd-endpoints',
  'kube-annotation-prefix': 'nodes are not annotated: use --etcd-prefix to keep networks apart',
  'net-config-path': 'the configuration is in the store: --network-config FILE puts it there when there is none',
  'set-node-network-unavailable': 'Kubernetes is not asked for anything: leave it out',
  vmodule: 'use --log-level',
  log_backtrace_at: 'use --log-level',
}

export const FLAGS: readonly Flag[] = [
  { name: 'store', value: 'etcd|file:DIR', default: 'etcd', help: 'where nodes keep leases and configuration' },
  {
    name: 'etcd-endpoints',
    value: 'URL,…',
    default: 'http://127.0.0.1:4001,http://127.0.0.1:2379',
    help: 'endpoints of etcd; the next one is asked when one does not answer',
  },
  { name: 'etcd-prefix', value: 'KEY', default: '/coreos.com/network', help: 'what keys of the network begin with' },
  { name: 'etcd-cafile', value: 'FILE', help: 'authorities that etcd’s certificate is checked with' },
  { name: 'etcd-certfile', value: 'FILE', help: 'this node’s certificate' },
  { name: 'etcd-keyfile', value: 'FILE', help: 'its key' },
  { name: 'etcd-username', value: 'NAME', help: 'user of etcd' },
  { name: 'etcd-password', value: 'TEXT', help: 'better by FLANNELD_ETCD_PASSWORD: a command line can be read by all' },
  { name: 'network-config', value: 'FILE', help: 'net-conf.json that is put into the store when it has none' },
  { name: 'iface', value: 'NAME|IP', isRepeatable: true, help: 'link to the other nodes; the first that will do' },
  { name: 'iface-regex', value: 'PATTERN', isRepeatable: true, help: 'the first link whose address or name matches' },
  { name: 'iface-can-reach', value: 'IP', help: 'the link by which this address is reached' },
  { name: 'public-ip', value: 'IP', help: 'address that other nodes use, where it is not the link’s own' },
  { name: 'public-ipv6', value: 'IP', help: 'the same of IPv6' },
  { name: 'subnet-file', value: 'FILE', default: '/run/flannel/subnet.env', help: 'what the CNI plugin flannel reads' },
  {
    name: 'subnet-lease-ttl',
    value: 'TIME',
    default: '24h',
    help: 'life of a lease that is not renewed; flannel’s is 24h',
  },
  {
    name: 'subnet-lease-renew-margin',
    value: 'TIME',
    default: '60',
    help: 'how long before its end a lease is renewed: minutes, or with a unit as 90s',
  },
  { name: 'ip-masq', help: 'masquerade what pods send out of the network' },
  { name: 'ip-masq-fully-random-disable', help: 'choose masqueraded ports in order' },
  { name: 'iptables-forward-rules', default: 'true', help: 'let traffic of pods through' },
  { name: 'iptables-resync', value: 'SECONDS', default: '5', help: 'without effect: changes are noticed at once' },
  { name: 'ip-blackhole-route', help: 'drop what is for pods of this node that are not there' },
  { name: 'healthz-ip', value: 'IP', default: '127.0.0.1', help: 'where /healthz, /readyz and /metrics are served' },
  { name: 'healthz-port', value: 'PORT', default: '0', help: 'and at which port; 0: they are not' },
  { name: 'log-format', value: 'text|json', default: 'text', help: 'a line for people, or JSON, on stderr' },
  { name: 'log-level', value: 'LEVEL', default: 'info', help: 'debug, info, warn or error' },
  { name: 'v', value: 'N', default: '0', help: 'flanneld’s: 1 and more mean --log-level debug' },
  { name: 'cleanup', help: 'remove all that flannel or overlab left on this node, and end' },
  { name: 'version', help: 'print the version' },
  { name: 'help', help: 'print this' },
]

/** By name: what was given, or the default. Of repeatable ones all that were given. */
export type FlagValues = ReadonlyMap<string, readonly string[]>

/** CommandError (usage) for a flag that there is not, or a value that cannot be meant. */
export function parseFlags(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): FlagValues {
  const values = new Map<string, string[]>(
    FLAGS.map((flag) => [flag.name, flag.default === undefined ? (flag.value ? [] : ['false']) : [flag.default]]),
  )
  const given = fromCommandLine(argv)
  for (const { name } of [...FLAGS, ...Object.keys(REFUSED).map((each) => ({ name: each }))]) {
    const variable = `FLANNELD_${name.toUpperCase().replaceAll('-', '_')}`
    const text = environment[variable]
    if (text !== undefined && text !== '' && !given.has(name)) given.set(name, checked(name, [text], variable))
  }
  for (const [name, texts] of given) values.set(name, texts)
  return values
}

function fromCommandLine(argv: readonly string[]): Map<string, string[]> {
  const given = new Map<string, string[]>()
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name, inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) throw usage(`Cannot use "${word}": it is no flag`)
    const flag = FLAGS.find((each) => each.name === name)
    const text = inline ?? (flag && !flag.value ? 'true' : rest.shift())
    if (flag && text === undefined) throw usage(`Cannot use --${name}: its value is missing`)
    const [checkedText] = checked(name, [text ?? ''], `--${name}`)
    given.set(name, flag?.isRepeatable ? [...(given.get(name) ?? []), checkedText!] : [checkedText!])
  }
  return given
}

/** `said`: how the user said it. */
function checked(name: string, [text]: readonly [string], said: string): string[] {
  const instead = REFUSED[name]
  if (instead !== undefined) throw usage(`Cannot use ${said}: overlab has no such thing; ${instead}`)
  const flag = FLAGS.find((each) => each.name === name)
  if (!flag) throw usage(`Cannot use ${said}: there is no such flag; see --help`)
  if (flag.value) return [text]
  const value = parseBoolean(text)
  if (value === undefined) throw usage(`Cannot use ${said}: "${text}" is neither true nor false`)
  return [String(value)]
}

/** strconv.ParseBool. */
function parseBoolean(text: string): boolean | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
}

export function describeFlags(): string {
  const lines = FLAGS.map((flag): readonly [string, string] => [
    `  --${flag.name}${flag.value ? ` ${flag.value}` : ''}`,
    `${flag.help}${flag.isRepeatable ? '; may be repeated' : ''}${flag.default === undefined ? '' : ` (${flag.default})`}`,
  ])
  const width = Math.max(...lines.map(([left]) => left.length)) + 2
  return [
    'Usage: overlab daemon [flags]',
    '',
    'Keeps this node in an overlay network, as flanneld does and beside it.',
    '',
    ...lines.map(([left, right]) => `${left.padEnd(width)}${right}`),
    '',
    'Each can also be given by the environment: --etcd-endpoints as FLANNELD_ETCD_ENDPOINTS.',
  ].join('\n')
}

export function usage(message: string): CommandError {
  return new CommandError(Exit.usage, message)
}
