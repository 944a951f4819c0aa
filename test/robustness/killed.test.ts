/**
 * Killed at every system call in turn: the DEL that follows succeeds and leaves nothing, and the ADD after it works.
 *
 * strace kills as the call is entered, so each run ends with what the calls before it did. Which calls there are, a run
 * that nobody kills shows; `inject` wants each as a name and how many of that name went before.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../support/command.ts'
import {
  type Attachment,
  call,
  flannelNetwork,
  leftovers,
  type Network,
  network,
  SCRATCHES,
  type Verb,
} from './attachment.ts'

const TRACE = '/run/trace'
const MINUTE = 60_000

const networks = [network('killed', '10.88.0.0/24'), flannelNetwork('overlay', '10.89.0.0/24')]

/** Calls that a run makes at times and at times not: memory comes as it comes. */
const MAY_BE_MISSED = 5

beforeAll(() => {
  for (const namespace of ['killed', 'neighbour']) run('ip', 'netns', 'add', namespace)
})

describe.each(networks)('$plugin', (pods) => {
  const container: Attachment = { network: pods, containerId: 'killed', namespace: 'killed' }
  const neighbour: Attachment = { network: pods, containerId: 'neighbour', namespace: 'neighbour' }

  /** The container has been there before, too: its first ADD makes directories that the later ones find. */
  const addNeighbour = () => {
    succeed('ADD', container)
    succeed('ADD', neighbour)
    succeed('DEL', container)
  }

  afterAll(() => {
    for (const attachment of [container, neighbour]) succeed('DEL', attachment)
    forget(pods)
  })

  describe.each([
    { title: 'the first ADD of a network', verb: 'ADD', once: () => {}, each: () => forget(pods), expected: 60 },
    { title: 'an ADD beside another container', verb: 'ADD', once: addNeighbour, each: () => {}, expected: 40 },
    { title: 'a DEL', verb: 'DEL', once: () => {}, each: () => succeed('ADD', container), expected: 20 },
  ] as const)('$title, killed at every system call', ({ verb, once, each, expected }) => {
    test('can be taken back by DEL, and done again', { timeout: 5 * MINUTE }, () => {
      for (const attachment of [container, neighbour]) succeed('DEL', attachment)
      forget(pods)
      once()
      const before = leftovers(pods, ['killed', 'neighbour'])
      each()
      const calls = traceCalls(verb, container)
      assert.ok(calls.length > expected, `${calls.length} calls is too few to be all`)
      if (verb === 'ADD') succeed('DEL', container)
      let missed = 0
      for (const { name, count } of calls) {
        each()
        const at = `killed at ${name} ${count}`
        const killed = call(verb, container, inject(name, count))
        if (killed.signal !== 'SIGKILL') missed++
        succeed('DEL', container, at)
        assert.deepEqual(leftovers(pods, ['killed', 'neighbour']), before, at)
        succeed('ADD', container, at)
        succeed('DEL', container, at)
      }
      assert.ok(missed <= MAY_BE_MISSED, `${missed} of ${calls.length} calls were not made when their turn came`)
    })
  })
})

const inject = (name: string, count: number) => [
  ...['strace', '-f', '-o', '/dev/null', '-e', `trace=${name}`],
  ...['-e', `inject=${name}:signal=KILL:when=${count}`],
]

interface Call {
  readonly name: string
  /** How many calls of the name this makes. */
  readonly count: number
}

function traceCalls(verb: Verb, attachment: Attachment): Call[] {
  const { status, stdout } = call(verb, attachment, ['strace', '-f', '-o', TRACE])
  assert.equal(status, 0, stdout)
  const counts = new Map<string, number>()
  const names = [...readFileSync(TRACE, 'utf8').matchAll(/^\d+ +([a-z]\w*)\(/gm)].map(([, name]) => name!)
  assert.equal(names.shift(), 'execve') // there is no plugin to be killed before it
  return names.map((name) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return { name, count }
  })
}

/** As if this network had never been; no container may be attached. */
function forget({ bridge, dataDir }: Network): void {
  const folders = [dataDir, SCRATCHES, '/run/overlab'].join(' ')
  run('sh', '-c', `ip link delete ${bridge} 2>/dev/null; nft flush ruleset; rm -rf ${folders}`)
  mkdirSync('/var/lib/cni', { recursive: true }) // stays once it is there: what makes it would be missed later
}

function succeed(verb: Verb, attachment: Attachment, when = 'undisturbed'): void {
  const { status, stdout } = call(verb, attachment)
  assert.equal(status, 0, `${verb}, ${when}: ${stdout}`)
}
