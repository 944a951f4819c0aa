/**
 * flannel: attaches containers to an overlay, by another plugin. Behaves as https://github.com/flannel-io/cni-plugin
 *
 *   daemon ──subnet.env──┐
 *   configuration ───────┴──flannel/delegate-configuration.ts──> bridge ──> host-local
 *                              │                                   ▲
 *                              └──flannel/scratch.ts──> a file ────┘ CHECK, DEL, GC
 *
 * flannel's plugin loses its note when the delegate's DEL fails, has one for all interfaces of a container, and answers
 * CHECK, STATUS and GC without a look. Here the note is kept until DEL has succeeded, and all verbs reach the delegate.
 */
import { CniCode, CniError } from '../cni/errors.ts'
import { asCniError } from '../cni/failure.ts'
import { obstacleTo } from '../cni/file.ts'
import type { Host } from '../cni/host.ts'
import type { Attachment, Plugin } from '../cni/plugin.ts'
import { teardown, withRollback } from '../cni/rollback.ts'
import type { JsonObject } from '../json/json.ts'
import { formatJsonValue } from '../json/writer.ts'
import { type FlannelConfig, parseFlannelConfig } from './flannel/config.ts'
import {
  delegateConfiguration,
  forNetwork,
  parseDelegateConfiguration,
  withPrevResult,
} from './flannel/delegate-configuration.ts'
import { type Scratch, ScratchDirectory } from './flannel/scratch.ts'
import { readSubnetEnv } from './flannel/subnet-env.ts'

export const flannel: Plugin<FlannelConfig> = {
  name: 'flannel',

  parseConfig: parseFlannelConfig,

  add(request, { host, delegateTo }) {
    const text = formatJsonValue(presentConfiguration(request.config, host))
    const scratches = scratchesOf(request.config, host)
    const before = scratches.get(request)
    const delegate = delegateTo(text)
    return withRollback((undo) => {
      const takeBack = scratches.save(request, text)
      undo(() => {
        // Also when the delegate's own ADD fails: CNI specification, section 4. Not where it would hit an earlier ADD's work.
        if (!before) delegate.del()
        takeBack() // not reached when DEL failed: the runtime's DEL tries again
      })
      return delegate.add()
    })
  },

  check(request, { host, delegateTo }) {
    const { config } = request
    const scratch = scratchesOf(config, host).get(request)
    if (scratch) {
      delegateTo(formatJsonValue(withPrevResult(requireConfiguration(scratch), config))).check()
    } else if (config.prevResult) {
      const what = `"${request.ifName}" of container ${request.containerId}`
      throw lost(`Cannot find in "${config.dataDir}" what ADD gave to the delegate for ${what}: DEL would find nothing`)
    }
  },

  del(request, { host, delegateTo }) {
    const scratches = scratchesOf(request.config, host)
    const scratch = scratches.get(request)
    if (!scratch) return // never attached, or detached already
    const text = configurationToDelete(scratch, request.config, host)
    if (text === undefined) return
    delegateTo(text).del()
    scratches.remove(scratch)
  },

  gc({ config, validAttachments }, { host, delegateTo }) {
    const scratches = scratchesOf(config, host)
    const own = scratches.list().filter((scratch) => configurationOf(scratch)?.string('name') === config.name)
    const stale = own.filter((scratch) => isStale(scratch, validAttachments))
    const nobodys = stale.filter(({ ifName }) => ifName === undefined)
    teardown(
      ...stale.flatMap((scratch) => {
        const { containerId, ifName, text } = scratch
        if (ifName === undefined) return []
        return () => {
          delegateTo(text, { containerId, ifName }).del()
          scratches.remove(scratch)
        }
      }),
      () => {
        for (const text of configurationsToClean(config, host, own, nobodys)) delegateTo(text).gc()
        for (const scratch of nobodys) scratches.remove(scratch)
      },
      () => scratches.sweep(),
    )
  },

  status({ config }, { host, delegateTo }) {
    const obstacle = obstacleTo(config.dataDir, host.files)
    if (obstacle !== undefined) {
      throw notAvailable(`Cannot note in "${config.dataDir}" what the delegate is given: "${obstacle}" is no directory`)
    }
    available(() => delegateTo(formatJsonValue(presentConfiguration(config, host)))).status()
  },
}

const scratchesOf = ({ dataDir }: FlannelConfig, { files }: Host) => new ScratchDirectory(files, dataDir)

/** What the delegate is given now. CniError when the configuration or subnet.env cannot be used. */
function presentConfiguration(config: FlannelConfig, { files }: Host): JsonObject {
  return delegateConfiguration(config, readSubnetEnv(files, config.subnetFile))
}

/** For STATUS, which has a code for a daemon that has not come up and for a plugin that is not installed. */
function available<T>(find: () => T): T {
  try {
    return find()
  } catch (cause) {
    throw notAvailable(asCniError(cause).message)
  }
}

/** What DEL gives to the delegate; undefined, with a word on stderr, when nobody knows any more. */
function configurationToDelete(scratch: Scratch, config: FlannelConfig, host: Host): string | undefined {
  try {
    const noted = requireConfiguration(scratch)
    const isSameVersion = noted.string('cniVersion') === config.json.string('cniVersion')
    return isSameVersion ? formatJsonValue(withPrevResult(noted, config)) : scratch.text
  } catch (cause) {
    const { message } = asCniError(cause)
    try {
      const text = formatJsonValue(withPrevResult(presentConfiguration(config, host), config))
      host.writeStderr(`${message}; using what "${config.subnetFile}" and the configuration say now\n`)
      return text
    } catch (reason) {
      host.writeStderr(`${message}; nothing is detached: ${asCniError(reason).message}\n`)
      return undefined // as flannel's plugin: what cannot be helped must not keep the container from going
    }
  }
}

/** What GC gives to the delegate: what it is given now, and what it was given for attachments that have no name. */
function configurationsToClean(
  config: FlannelConfig,
  host: Host,
  own: readonly Scratch[],
  nobodys: readonly Scratch[],
): Set<string> {
  const noted = (scratches: readonly Scratch[]) => scratches.map(requireConfiguration)
  const configurations = [...present(), ...noted(nobodys)]
  return new Set(configurations.map((json) => formatJsonValue(forNetwork(json, config))))

  /** Where the daemon is down, what any of the network's attachments was given will do. */
  function present(): JsonObject[] {
    try {
      return [presentConfiguration(config, host)]
    } catch (error) {
      if (own.length === 0) throw error
      return noted(own.slice(0, 1))
    }
  }
}

/** One that may be any interface's is stale when none of its container's lives on. */
function isStale({ containerId, ifName }: Scratch, valid: readonly Attachment[]): boolean {
  return !valid.some((each) => each.containerId === containerId && (ifName ?? each.ifName) === each.ifName)
}

function configurationOf({ text }: Scratch): JsonObject | undefined {
  try {
    return parseDelegateConfiguration(text)
  } catch {
    return undefined // cut short, or not ours: only DEL knows whose it was
  }
}

function requireConfiguration({ path, text }: Scratch): JsonObject {
  try {
    return parseDelegateConfiguration(text)
  } catch (cause) {
    const message = `Cannot use "${path}", where ADD noted what the delegate was given: ${asCniError(cause).message}`
    throw new CniError(CniCode.notAsPromised, message, { cause })
  }
}

const lost = (message: string) => new CniError(CniCode.notAsPromised, message)

const notAvailable = (message: string) => new CniError(CniCode.notAvailable, message)
