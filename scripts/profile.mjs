/**
 * Reads what a new network namespace of the running kernel begins with, and writes it to src/model/profile/linux-X.Y.ts.
 *
 *   node scripts/profile.mjs                        as root; needs unshare(1)
 *   unshare --net node scripts/profile.mjs --inside  prints it, where this checkout cannot be written: in a virtual machine
 *   node scripts/profile.mjs --read FILE RELEASE     writes what was printed there; RELEASE as uname -r has it
 *
 * Values are read from /proc/sys/net. Which numbers a setting takes is found by offering it some: the kernel answers EINVAL
 * for those beyond its limits. All of it happens in a namespace that nobody else uses, and each value is put back.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'

const ROOT = '/proc/sys'
const LOWEST = -(2 ** 31)
const HIGHEST = 2 ** 31 - 1
/** Unsigned long. */
const BEYOND = [2 ** 53, 2 ** 32 - 1]
/** Of all namespaces, and once it is on it stays on. */
const UNTOUCHED = ['net/netfilter/nf_hooks_lwtunnel']

const [mode, file, otherRelease] = process.argv.slice(2)
if (mode === '--inside') process.stdout.write(JSON.stringify(readProfile()))
else if (mode === '--read') writeProfile(readFileSync(file, 'utf8'), otherRelease)
else writeProfile(printedInside(), release())

function printedInside() {
  const argv = ['--net', process.execPath, import.meta.filename, '--inside']
  return execFileSync('unshare', argv, { encoding: 'utf8', maxBuffer: 1 << 26 })
}

function writeProfile(printed, release) {
  const profile = JSON.parse(printed)
  const [number, version] = /^(\d+\.\d+)\.\d+/.exec(release)
  const name = `linux${version.replace('.', '')}`
  const text = (value) =>
    `'${value.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\t/g, '\\t').replace(/\n/g, '\\n')}'`
  const record = (values, write) =>
    Object.keys(values)
      .sort()
      .map((key) => `    ${text(key)}: ${write(values[key])},`)
  const lines = [
    `/** Linux ${version}, read off a new network namespace by scripts/profile.mjs. Do not edit. */`,
    "import type { Profile } from './profile.ts'",
    '',
    `export const ${name}: Profile = {`,
    `  name: 'linux-${version}',`,
    `  release: '${number}',`,
    '  values: {',
    ...record(profile.values, text),
    '  },',
    '  limits: {',
    ...record(profile.limits, ([low, high]) => `[${low}, ${high}]`),
    '  },',
    `  readOnly: [`,
    ...profile.readOnly.sort().map((key) => `    ${text(key)},`),
    '  ],',
    `  writeOnly: [`,
    ...profile.writeOnly.sort().map((key) => `    ${text(key)},`),
    '  ],',
    '}',
    '',
  ]
  const file = join(import.meta.dirname, `../src/model/profile/linux-${version}.ts`)
  writeFileSync(file, lines.join('\n'))
  execFileSync(join(import.meta.dirname, '../node_modules/.bin/biome'), ['format', '--write', file])
}

function readProfile() {
  const profile = { values: {}, limits: {}, readOnly: [], writeOnly: [] }
  const keys = filesBelow('net').filter((key) => !isOfOtherDevice(key))
  for (const key of keys) {
    const value = read(key)
    if (value === undefined) {
      // Which may be read some day (stable_secret), or never (flush).
      if (/\/flush$/.test(key)) profile.writeOnly.push(key)
      continue
    }
    profile.values[key] = value
  }
  for (const [key, value] of Object.entries(profile.values)) {
    if (UNTOUCHED.includes(key)) continue
    if (!takes(key, value, value)) {
      profile.readOnly.push(key)
      continue
    }
    if (!/^-?\d+$/.test(value) || isOfOneDevice(key)) continue
    const limits = limitsOf(key, value)
    if (limits[0] !== LOWEST || limits[1] !== HIGHEST) profile.limits[key] = limits
  }
  return profile
}

function filesBelow(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

/** A tunnel's that a module brings into every namespace. */
function isOfOtherDevice(key) {
  const device = /\/(?:conf|neigh)\/([^/]+)\//.exec(key)?.[1]
  return device !== undefined && !['all', 'default', 'lo'].includes(device)
}

/** A device's settings take what those of `default` take. */
function isOfOneDevice(key) {
  return /\/(?:conf|neigh)\/(?:all|lo)\//.test(key)
}

function read(key) {
  try {
    return readFileSync(join(ROOT, key), 'utf8').replace(/\n$/, '')
  } catch {
    return undefined
  }
}

function takes(key, value, before) {
  try {
    writeFileSync(join(ROOT, key), value)
  } catch {
    return false
  }
  try {
    writeFileSync(join(ROOT, key), before)
  } catch (error) {
    throw new Error(`Cannot put ${key} back to ${before} after ${value}`, { cause: error })
  }
  return true
}

/** The lowest and the highest number that it takes. Between them it takes all. */
function limitsOf(key, before) {
  const accepts = (number) => takes(key, `${number}`, before)
  const search = (inside, outside) => {
    while (Math.abs(outside - inside) > 1) {
      const middle = Math.trunc((inside + outside) / 2)
      if (accepts(middle)) inside = middle
      else outside = middle
    }
    return inside
  }
  const value = Number(before)
  const low = accepts(LOWEST) ? LOWEST : accepts(0) ? search(0, LOWEST) : search(value, 0)
  const beyond = BEYOND.find(accepts)
  const high = beyond ?? (accepts(HIGHEST) ? HIGHEST : search(value, HIGHEST))
  return [low, high]
}
