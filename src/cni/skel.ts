/**
 * What every plugin does around its work: CNI specification, section 2. Parameters come from the environment, the
 * configuration from stdin; the result, or one error object, goes to stdout, and nothing else does.
 *
 *   verb ─> variables ─> stdin ─> JSON ─> name ─> version ─> own namespace? ─> the plugin's options ─> work ─> stdout
 *    4          4          5       6       7       6, 1           8                   6, 7
 *
 * The first check that fails answers with the code below it. Go's skel looks at the namespace when the work is done and its
 * result printed; and it wants CNI_PATH always, which the specification calls optional but for GC.
 */

import { asObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import { formatCompactJson, formatJson } from '../json/writer.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { parseConfiguration, versionOf } from './config.ts'
import { surroundingsOf } from './delegate.ts'
import { CniCode, CniError } from './errors.ts'
import { asCniError } from './failure.ts'
import { sameFile, statusOf } from './file.ts'
import type { Host } from './host.ts'
import { type Invocation, perform, type Verb } from './invocation.ts'
import { requireVariables, requireVerb, requireVersion, verbs } from './parameters.ts'
import type { Plugin, Surroundings } from './plugin.ts'
import { formatResult } from './result.ts'
import { withRollback } from './rollback.ts'
import { cniVersions, newestVersion } from './version.ts'

/** The namespace that the plugin itself runs in. */
const OWN_NETNS = '/proc/self/ns/net'

/** How long VERSION waits for its input; a runtime writes it at once. */
const VERSION_INPUT_MS = 1000

export interface PluginOptions {
  /** Other plugins that this executable can be: they are called, not executed, when delegated to. */
  readonly delegates?: readonly Plugin[]
  /** Release of overlab. */
  readonly release?: string
}

/** Does what the environment says, and ends the process. A plugin that asks no kernel, as IPAM plugins do, needs none. */
export function runPlugin(plugin: Plugin, kernel: Kernel | undefined, host: Host, options: PluginOptions = {}): void {
  let cniVersion: string = newestVersion
  let output = ''
  let status = 0
  try {
    const { environment } = host
    const command = environment.CNI_COMMAND ?? ''
    if (command === '') {
      host.writeStderr(about(plugin.name, plugin.versions, options.release))
    } else if (command === 'VERSION') {
      output = formatVersions(host, plugin.versions)
    } else {
      const verb = requireVerb(command)
      requireVariables(verb, environment, host)
      const invocation = readInvocation(verb, environment, host)
      const version = versionOf(invocation.json)
      requireVersion(verb, version, plugin.versions)
      cniVersion = version
      if (verbs[verb].changesNamespace) refuseOwnNamespace(environment, host)
      const surroundings = surroundingsOf(invocation, { kernel, host, plugins: options.delegates ?? [] })
      output = carryOut(plugin, invocation, surroundings)
    }
  } catch (error) {
    output = formatError(asCniError(error), cniVersion)
    status = 1
  }
  try {
    host.writeStdout(output)
  } catch {
    status = 1 // nobody listens: the status is all that is left to say it with
  }
  host.exit(status)
}

function about(name: string, versions: readonly string[] = cniVersions, release = ''): string {
  return `CNI ${name} plugin ${`overlab ${release}`.trim()}\nCNI protocol versions supported: ${versions.join(', ')}\n`
}

/**
 * "The value of `cniVersion` specified on input". People ask for the versions by hand, too, from a terminal or a script whose
 * stdin stays open: whoever gives no version is told the newest.
 */
function formatVersions(host: Host, supportedVersions: readonly string[] = cniVersions): string {
  let cniVersion: string | undefined
  try {
    if (host.stdinIsReady(VERSION_INPUT_MS)) {
      cniVersion = asObject(parseJson(host.decode(host.readStdin())), '').string('cniVersion')
    }
  } catch {} // anybody may ask, whatever is on stdin
  return `${formatCompactJson({ cniVersion: cniVersion || newestVersion, supportedVersions })}\n`
}

function readInvocation(verb: Verb, environment: Host['environment'], host: Host): Invocation {
  const { CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS, CNI_ARGS, CNI_PATH } = environment
  const stdin = readStdin(host)
  return {
    verb,
    containerId: CNI_CONTAINERID ?? '',
    ifName: CNI_IFNAME ?? '',
    netns: CNI_NETNS ?? '',
    args: CNI_ARGS ?? '',
    path: CNI_PATH ? CNI_PATH.split(':') : [],
    stdin,
    json: parseConfiguration(parseJson(host.decode(stdin), 'the configuration on stdin')),
  }
}

function readStdin(host: Host): Uint8Array {
  try {
    return host.readStdin()
  } catch (cause) {
    const { message } = cause as Error
    throw new CniError(CniCode.ioFailure, `Cannot read the configuration from stdin: ${message}`, { cause })
  }
}

/** A plugin that took its own namespace for a container's would change the node's interfaces. */
function refuseOwnNamespace(environment: Host['environment'], host: Host): void {
  const { CNI_NETNS = '', CNI_NETNS_OVERRIDE = '' } = environment
  if (CNI_NETNS === '' || CNI_NETNS_OVERRIDE === '1' || CNI_NETNS_OVERRIDE.toUpperCase() === 'TRUE') return
  if (!sameFile(statusOf(CNI_NETNS, host), statusOf(OWN_NETNS, host))) return
  throw new CniError(
    CniCode.ownNamespace,
    `Cannot use CNI_NETNS "${CNI_NETNS}": it is the namespace that the plugin itself runs in, give the container's`,
  )
}

/** What goes to stdout: ADD's result; nothing from the other verbs. */
function carryOut(plugin: Plugin, invocation: Invocation, surroundings: Surroundings): string {
  const result = perform(plugin, invocation, surroundings)
  if (!result) return ''
  return withRollback((undo) => {
    undo(() => perform(plugin, { ...invocation, verb: 'DEL' }, surroundings)) // when the version cannot say the result
    return formatResult(result, versionOf(invocation.json))
  })
}

function formatError({ code, message, details }: CniError, cniVersion: string): string {
  return formatJson({ cniVersion, code, msg: message, details })
}
