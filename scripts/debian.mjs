/**
 * Debian packages, in two ways.
 *
 *   installPackages   by name, with apt, on this machine; root only
 *   fetchPackages     downloaded with apt and unpacked into .cache/debian/<package>, of any suite; nothing is installed or
 *                     started, no maintainer script runs, and the machine's own package lists stay as they are
 *
 * Another suite is read from the mirror and with the key that the machine's own Debian sources name (sources.list(5)).
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { runQuietly, say } from './say.mjs'

/** Where Debian keeps system programs, whether or not PATH says so. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Seconds to wait for another apt on the machine. */
const LOCK_TIMEOUT = 300

export function missingPackages(packages) {
  return packages.filter((wanted) => !isThere(wanted))
}

/** Those that are neither unpacked nor, with their header, on the machine. */
export function unfetchedPackages(root, packages) {
  return packages.filter(({ name, header }) => !existsSync(unpacked(root, name)) && !(header && existsSync(header)))
}

/** Installs what is missing when we are root, else says what to type. Without them the tests cannot run; a build goes without. */
export function installPackages(packages, purpose) {
  const names = packages.map(({ name }) => name).join(' ')
  const mayInstall = process.getuid && process.getuid() === 0 && hasCommand('apt-get')
  if (!mayInstall) {
    const advice = `npm ${purpose} needs these Debian packages: ${names}; type: sudo apt-get install ${names}`
    if (purpose === 'test') throw new Error(advice)
    say(advice)
    return
  }
  say(`installing Debian packages for npm ${purpose}: ${names}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const wait = `-oDPkg::Lock::Timeout=${LOCK_TIMEOUT}`
  const install = ['-qq', wait, 'install', '-y', '--no-install-recommends', ...names.split(' ')]
  runQuietly('apt-get', ['-qq', wait, 'update'], { env })
  const succeeded = runQuietly('apt-get', install, { env })
  if (!succeeded && purpose === 'test') throw new Error(`Cannot install Debian packages: ${names}`)
}

export function fetchPackages(root, packages, purpose) {
  const names = packages.map(({ name, suite }) => `${name}/${suite}`)
  say(`unpacking Debian packages below .cache for npm ${purpose}: ${names.join(' ')}`)
  const folder = join(root, '.cache/debian')
  const succeeded = hasCommand('apt-get') && hasCommand('dpkg-deb') && fetchInto(folder, packages)
  if (succeeded) return
  const advice = `Cannot bring ${names.join(' ')}: a Debian source that holds them is needed`
  if (purpose === 'test') throw new Error(advice)
  say(advice)
}

function fetchInto(folder, packages) {
  const source = debianSource()
  if (!source) return false
  const apt = join(folder, '.apt')
  mkdirSync(join(apt, 'lists/partial'), { recursive: true })
  mkdirSync(join(apt, 'archives/partial'), { recursive: true })
  const suites = [...new Set(packages.map(({ suite }) => suite))]
  const list = suites.map((suite) => `deb ${source.options}${source.uri} ${suite} main\n`).join('')
  writeFileSync(join(apt, 'sources.list'), list)
  const options = [
    '-qq',
    '-oAPT::Sandbox::User=root', // apt's own user may not read a private folder
    `-oDir::Etc::sourcelist=${apt}/sources.list`,
    '-oDir::Etc::sourceparts=-',
    `-oDir::State::Lists=${apt}/lists`,
    `-oDir::Cache=${apt}`,
  ]
  return runQuietly('apt-get', [...options, 'update']) && packages.every((wanted) => fetchOne(folder, options, wanted))
}

/** A package stands in its folder whole or not at all. */
function fetchOne(folder, options, { name, suite, pointsTo }) {
  const scratch = mkdtempSync(join(folder, `.${name}-`))
  try {
    const wanted = pointsTo ? dependency(options, name, suite, pointsTo) : name
    if (!wanted || !runQuietly('apt-get', [...options, 'download', `${wanted}/${suite}`], { cwd: scratch }))
      return false
    const archive = readdirSync(scratch).find((file) => file.endsWith('.deb'))
    if (!archive || !runQuietly('dpkg-deb', ['-x', archive, 'tree'], { cwd: scratch })) return false
    renameSync(join(scratch, 'tree'), join(folder, name))
    return true
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The package that `name` of that suite depends on and whose own name holds a version; undefined, after saying so, where it has none. */
function dependency(options, name, suite, pattern) {
  const argv = [...options, `-oAPT::Default-Release=${suite}`, 'depends', name]
  const { stdout } = spawnSync('apt-cache', argv, { encoding: 'utf8' })
  const names = [...(stdout || '').matchAll(/Depends: (\S+)/g)].map((match) => match[1])
  const found = names.find((each) => pattern.test(each))
  if (found === undefined) say(`Cannot find what ${name} depends on`)
  return found
}

/** The machine's Debian mirror, and its options with a space behind; undefined where it has none. */
export function debianSource(folder = '/etc/apt') {
  const parts = join(folder, 'sources.list.d')
  const files = [
    join(folder, 'sources.list'),
    ...(existsSync(parts) ? readdirSync(parts).map((file) => join(parts, file)) : []),
  ]
  for (const file of files.filter((path) => existsSync(path))) {
    const text = readFileSync(file, 'utf8')
    const found = file.endsWith('.sources') ? fromStanzas(text) : file.endsWith('.list') ? fromLines(text) : undefined
    if (found) return found
  }
  return undefined
}

function fromStanzas(text) {
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name) => {
      const match = new RegExp(`^${name}:[ \\t]*(\\S.*)$`, 'im').exec(stanza)
      return match ? match[1].trim() : ''
    }
    const uri = field('URIs').split(/\s+/)[0]
    if (!isDebian(uri) || /^no$/i.test(field('Enabled'))) continue
    const key = field('Signed-By')
    return { uri, options: key.startsWith('/') ? `[signed-by=${key}] ` : '' }
  }
  return undefined
}

function fromLines(text) {
  for (const line of text.split('\n')) {
    const match = /^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+\S+\s/.exec(line)
    if (match && isDebian(match[2])) return { uri: match[2], options: match[1] ? `${match[1].trim()} ` : '' }
  }
  return undefined
}

/** Every mirror of Debian's main archive ends its path so; the security archive does not. */
function isDebian(uri) {
  return /\/debian\/?$/.test(uri)
}

function isThere({ command, header }) {
  return command ? hasCommand(command) : existsSync(header)
}

function hasCommand(command) {
  const folders = [...(process.env.PATH || '').split(':'), ...SYSTEM_FOLDERS]
  return folders.some((folder) => folder !== '' && existsSync(join(folder, command)))
}

function unpacked(root, name) {
  return join(root, '.cache/debian', name)
}
