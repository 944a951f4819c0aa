/**
 * bridge(8) of iproute2 6.1: the ports of bridges, their forwarding databases and VLANs.
 *
 *   bridge [options] link | fdb | vlan [command] …
 */
import type { KernelError } from '../../kernel/errors.ts'
import { Arguments, abbreviates } from '../arguments.ts'
import type { Command } from '../command.ts'
import { Exit, ending, NotModelled } from '../exit.ts'
import { refusedByKernel, type Settings } from '../ip/settings.ts'
import { doFdb } from './fdb.ts'
import { doPort } from './link.ts'
import { doVlan } from './vlan.ts'

type ObjectCommand = (settings: Settings, args: Arguments) => void

/** In bridge's own order. What is not here has no function. */
const OBJECTS: readonly (readonly [name: string, command?: ObjectCommand])[] = [
  ['link', doPort],
  ['fdb', doFdb],
  ['mdb'],
  ['vlan', doVlan],
  ['vni'],
  ['monitor'],
  ['help'],
]

export const bridge: Command = (argv, context) =>
  ending(refused, (streams) => {
    const args = new Arguments(argv.slice(1))
    const options = readOptions(args)
    const kernel = options.namespace === undefined ? context.kernel : context.kernel.enter(pathOf(options.namespace))
    if (!kernel) throw new Exit(255, `Cannot open network namespace "${options.namespace}": No such file or directory`)
    try {
      run({ program: 'bridge', kernel, streams, family: undefined, brief: false, ...options }, args)
    } finally {
      if (kernel !== context.kernel) kernel.close()
    }
    return 0
  })

/** As ip says it, but bridge has one status for all refusals. */
function refused(error: KernelError): Exit {
  return new Exit(255, refusedByKernel(error).message)
}

function run(settings: Settings, args: Arguments): void {
  if (!args.more) throw new NotModelled('bridge', 'help')
  const word = args.take()
  const object = OBJECTS.find(([name]) => abbreviates(word, name))
  if (!object) throw new Exit(255, `Object "${word}" is unknown, try "bridge help".`)
  const [name, command] = object
  if (!command) throw new NotModelled('bridge', name)
  command(settings, args)
}

function readOptions(args: Arguments) {
  let json = false
  let pretty = false
  let oneLine = false
  let details = 0
  let namespace: string | undefined
  while (args.next.startsWith('-')) {
    const typed = args.take()
    if (typed === '--') break
    const option = typed.startsWith('--') ? typed.slice(1) : typed
    const is = (...names: string[]) => option !== '-' && names.some((name) => name.startsWith(option))
    if (is('-details')) details++
    else if (is('-oneline')) oneLine = true
    else if (is('-netns')) namespace = args.take()
    else if (is('-json')) json = true
    else if (is('-pretty')) pretty = true
    else if (/^-c(o(l(or?)?)?)?=(never|auto)$/.test(option)) continue
    else if (is('-help', '-Version', '-stats', '-statistics', '-timestamp', '-family', '-force', '-batch', '-color')) {
      throw new NotModelled('bridge', option)
    } else if (is('-compressvlans') || ['-4', '-6'].includes(option)) throw new NotModelled('bridge', option)
    else throw new Exit(255, `Option "${option}" is unknown, try "bridge help".`)
  }
  return { json, pretty, oneLine, details, statistics: 0, namespace }
}

function pathOf(namespace: string): string {
  return namespace.includes('/') ? namespace : `/run/netns/${namespace}`
}
