/**
 * Daemons of several networks on one node know of each other by files, one for each: below /run, which a reboot empties, by the
 * network namespace, since they share its chains. A file counts as long as there is the subnet.env that it belongs to, also
 * while its daemon is away: the rules that keep its pods connected must stay.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, watch } from 'node:fs'
import { join, resolve } from 'node:path'
import { files } from '../../linux/files.ts'
import type { NetworkRules, OtherNetworks } from '../../overlay/rules/shared.ts'

const DIRECTORY = '/run/overlab/networks'

interface Publication {
  readonly subnetFile: string
  readonly rules: NetworkRules
}

/** `subnetFile`: no two daemons have the same. */
export function otherNetworks(subnetFile: string): OtherNetworks & { withdraw(): void } {
  const own = resolve(subnetFile)
  // `net:[4026532322]`
  const namespace = readlinkSync('/proc/self/ns/net').replace(/\D/g, '')
  const directory = join(DIRECTORY, namespace)
  const path = join(directory, fileOf(own))
  const read = (name: string): Publication | undefined => {
    try {
      return JSON.parse(readFileSync(join(directory, name), 'utf8')) as Publication
    } catch {
      return undefined // it has just gone, or somebody else wrote it
    }
  }
  return {
    publish(rules) {
      const text = JSON.stringify({ subnetFile: own, rules } satisfies Publication)
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      if (files.read(path) !== text) files.replace(path, text, 0o644)
    },

    list() {
      if (!existsSync(directory)) return []
      return readdirSync(directory)
        .filter((name) => name.endsWith('.json'))
        .flatMap((name) => read(name) ?? [])
        .filter((each) => each.subnetFile !== own && existsSync(each.subnetFile))
        .map(({ rules }) => rules)
    },

    watch(onChange) {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name?.endsWith('.json') && join(directory, name) !== path) onChange()
      })
      return { close: () => watcher.close() }
    },

    withdraw: () => rmSync(path, { force: true }),
  }
}

/** Removes what a daemon that has ended left here, when its namespace goes too; of that the number, where it is known. */
export function forgetNetwork(subnetFile: string, namespace: bigint | undefined): void {
  if (!existsSync(DIRECTORY)) return
  const file = fileOf(resolve(subnetFile))
  for (const name of readdirSync(DIRECTORY)) {
    const path = join(DIRECTORY, name, file)
    if (name !== String(namespace) && !existsSync(path)) continue
    rmSync(path, { force: true })
    removeIfEmpty(join(DIRECTORY, name))
  }
  removeIfEmpty(DIRECTORY)
}

const fileOf = (path: string) => `${path.replaceAll('%', '%25').replaceAll('/', '%2F')}.json`

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {} // another network is there
}
