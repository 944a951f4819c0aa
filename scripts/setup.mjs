/**
 * Set-up: everything that a checkout needs beyond itself, brought once.
 *
 *   node scripts/setup.mjs [ok | start | pack | test]
 *
 *   ok      npm packages; Node 24 beside them where the running Node is too old
 *   start   … and a C compiler and QuickJS, for the plugin executables
 *   pack    … and what the Vagrant lab's nodes are given
 *   test    … and every witness and peer that the tests ask: debian-packages.mjs names them
 *
 * The machine's Node may be any since 16, so set-up is plain JavaScript and imports nothing but Node's own modules.
 * A second run finds all in place, asks no network, and says nothing.
 */
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { fetchBgpPeers, missingBgpPeers } from './bgp-peers.mjs'
import { fetchPackages, installPackages, missingPackages, unfetchedPackages } from './debian.mjs'
import { packagesFor } from './debian-packages.mjs'
import { buildRawSocket, installNode24, installNpmPackages, nodeIsOld } from './npm.mjs'
import { say } from './say.mjs'

/** @typedef {'ok' | 'start' | 'pack' | 'test'} Purpose */

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * Brings what `purpose` needs, and answers with the Node to go on with.
 *
 * @param {Purpose} purpose
 * @returns {string} path of a Node that runs our TypeScript
 */
export function setUp(purpose) {
  installNpmPackages(root)
  if (nodeIsOld()) installNode24(root)
  const node = nodeIsOld() ? join(root, 'node_modules/.bin/node') : process.execPath

  const { installed, fetched } = packagesFor(purpose)
  const wanting = missingPackages(installed)
  if (wanting.length > 0) installPackages(wanting, purpose)
  const absent = unfetchedPackages(root, fetched)
  if (absent.length > 0) fetchPackages(root, absent, purpose)

  if (purpose === 'test') {
    if (missingBgpPeers(root).length > 0) fetchBgpPeers(root)
    buildRawSocket(root, node)
  }
  return node
}

/**
 * Sets up, then goes on in a script of the checkout under the right Node, and ends as it ends.
 *
 * @param {Purpose} purpose
 * @param {string} script below the checkout
 * @param {string[]} args
 * @returns {boolean} false when set-up failed, after saying why
 */
export function setUpAndRun(purpose, script, args) {
  const node = trySetUp(purpose)
  if (node === undefined) return false
  const bin = join(root, 'node_modules/.bin')
  // npm scripts and shebangs that the script starts must find the same Node and tools.
  const path = [dirname(node), bin, process.env.PATH].join(':')
  const child = spawn(node, [join(root, script), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  // What ends us ends the script, which has more to tidy up; we stay until it has.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('exit', (status) => process.exit(status === null ? 1 : status))
  return true
}

/** What is missing, and what to type, is a line for people; where it was found is not. */
function trySetUp(purpose) {
  try {
    return setUp(purpose)
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
    return undefined
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const purpose = process.argv[2] === undefined ? 'start' : process.argv[2]
  if (purpose !== 'ok' && purpose !== 'start' && purpose !== 'pack' && purpose !== 'test') {
    say(`Cannot set up for "${purpose}": say ok, start, pack or test`)
    process.exit(2)
  }
  trySetUp(purpose)
}
