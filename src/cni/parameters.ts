/** Verbs and the environment variables they are given: CNI specification, section 2. A row each. */
import { isName } from './config.ts'
import { CniCode, CniError } from './errors.ts'
import type { Host } from './host.ts'
import type { Verb } from './invocation.ts'
import { cniVersions, compareVersions } from './version.ts'

/** linux/if.h: IFNAMSIZ without the closing zero. Bytes. */
const MAX_INTERFACE_NAME = 15

interface VerbRow {
  /** Variables it cannot do without, in the order in which they are looked at. */
  readonly requires: readonly (keyof typeof flaws)[]
  /** The oldest version of the specification that has the verb; all of them where left out. */
  readonly since?: string
  /** Whether it changes the namespace at CNI_NETNS, which then must not be the plugin's own. */
  readonly changesNamespace: boolean
}

export const verbs: Readonly<Record<Verb, VerbRow>> = {
  ADD: { requires: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'], changesNamespace: true },
  CHECK: { requires: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'], since: '0.4.0', changesNamespace: false },
  DEL: { requires: ['CNI_CONTAINERID', 'CNI_IFNAME'], changesNamespace: true },
  GC: { requires: ['CNI_PATH'], since: '1.1.0', changesNamespace: false },
  STATUS: { requires: [], since: '1.1.0', changesNamespace: false },
}

/** What is wrong with a variable's value; undefined when nothing is. */
const flaws = {
  CNI_CONTAINERID: (value: string) =>
    isName(value) ? undefined : 'use letters, digits, "_", "." and "-" only, a letter or digit first',
  CNI_NETNS: () => undefined,
  CNI_IFNAME: (value: string, host: Host) => {
    if (host.encode(value).length > MAX_INTERFACE_NAME) return `a name has ${MAX_INTERFACE_NAME} bytes at most`
    if (value === '.' || value === '..') return 'no interface can have that name'
    return /[/:\u0085]|(?!\ufeff)\s/.test(value) ? 'a name has no "/", ":" or white space in it' : undefined
  },
  CNI_PATH: () => undefined,
} as const

export function requireVerb(command: string): Verb {
  if (Object.hasOwn(verbs, command)) return command as Verb
  const known = [...Object.keys(verbs), 'VERSION'].join(', ')
  throw new CniError(CniCode.invalidEnvironment, `Cannot carry out CNI_COMMAND "${command}": give one of ${known}`)
}

/** CniError when one is missing or unusable. An empty one is missing. */
export function requireVariables(verb: Verb, environment: Host['environment'], host: Host): void {
  const missing: string[] = []
  for (const name of verbs[verb].requires) {
    const value = environment[name]
    if (!value) {
      missing.push(name)
      continue
    }
    const flaw = flaws[name](value, host)
    if (flaw)
      throw new CniError(CniCode.invalidEnvironment, `Cannot use ${name} "${value}": ${flaw}`, { details: value })
  }
  if (missing.length === 0) return
  throw new CniError(
    CniCode.invalidEnvironment,
    `Cannot carry out ${verb}: the environment lacks ${missing.join(', ')}`,
  )
}

/** CniError when the version does not know the verb, or the plugin not the version. */
export function requireVersion(verb: Verb, version: string, supported: readonly string[] = cniVersions): void {
  const { since } = verbs[verb]
  if (since !== undefined && compareVersions(version, since) < 0) {
    throw new CniError(
      CniCode.incompatibleVersion,
      `Cannot carry out ${verb}: "cniVersion" is "${version}", which knows no ${verb}; use "${since}" or newer`,
    )
  }
  if (supported.includes(version)) return
  const list = supported.map((each) => `"${each}"`).join(' ')
  throw new CniError(
    CniCode.incompatibleVersion,
    `Cannot use "cniVersion" "${version}": give one of ${supported.join(', ')}`,
    { details: `config is "${version}", plugin supports [${list}]` },
  )
}
