/**
 * Killed at every system call in turn: the DEL that follows succeeds and leaves nothing, and the ADD after it works.
 *
 * strace kills as the call is entered, so each run ends with what the calls before it did. Which calls there are, a run
 * that nobody kills shows; `inject` wants each as a name and how many of that name went before.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, test } from 'vitest'
import { run } from '../support/command.ts'
import { type Attachment, call, leftovers, network, type Verb } from './attachment.ts'

const TRACE = '/run/trace'
const MINUTE = 60_000

const pods = network('killed', '10.88.0.0/24')
const container: Attachment = { network: pods, containerId: 'killed', namespace: 'killed' }
const neighbour: Attachment = { network: pods, containerId: 'neighbour', namespace: 'neighbour' }

beforeAll(() => {
  for (const { namespace } of [container, neighbour]) run('ip', 'netns', 'add', namespace)
})

describe.each([
  { title: 'the first ADD of a network', verb: 'ADD', prepare: startOver, expected: 60 },
  { title: 'an ADD beside another container', verb: 'ADD', prepare: addNeighbour, expected: 40 },
  { title: 'a DEL', verb: 'DEL', prepare: () => succeed('ADD', container), expected: 20 },
] as const)('$title, killed at every system call', ({ verb, prepare, expected }) => {
  test('can be taken back by DEL, and done again', { timeout: 3 * MINUTE }, () => {
    startOver()
    prepare()
    const calls = traceCalls(verb, container)
    assert.ok(calls.length > expected, `${calls.length} calls is too few to be all`)
    const findings: string[] = []
    for (const { name, count } of calls) {
      startOver()
      prepare()
      const finding = killAt(verb, name, count)
      if (finding) findings.push(`${name} ${count}: ${finding}`)
    }
    assert.deepEqual(findings, [])
  })
})

/** What is wrong after the plugin was killed there; undefined when nothing is. */
function killAt(verb: Verb, name: string, count: number): string | undefined {
  const before = leftovers(pods, ['neighbour'])
  const others = verb === 'DEL' ? [] : before
  const killed = call(verb, container, inject(name, count))
  if (killed.signal !== 'SIGKILL') return `it was not killed: ${killed.status} ${killed.stdout}`
  for (const [step, expected] of [
    ['DEL', others],
    ['ADD', undefined],
    ['DEL', others],
  ] as const) {
    const { status, stdout } = call(step, container)
    if (status !== 0) return `${step} fails: ${stdout}`
    if (!expected) continue
    const left = leftovers(pods, ['killed', 'neighbour'])
    const unexpected = left.filter((thing) => !expected.includes(thing))
    if (unexpected.length > 0 || left.length < expected.length)
      return `${step} leaves ${unexpected.join(', ') || 'less'}`
  }
  return undefined
}

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
  return [...readFileSync(TRACE, 'utf8').matchAll(/^\d+ +([a-z]\w*)\(/gm)].map(([, name]) => {
    const count = (counts.get(name!) ?? 0) + 1
    counts.set(name!, count)
    return { name: name!, count }
  })
}

/** As if this network had never been. */
function startOver(): void {
  for (const attachment of [container, neighbour]) succeed('DEL', attachment)
  if (run('ip', '-br', 'link').includes(pods.bridge)) run('ip', 'link', 'delete', pods.bridge)
  run('nft', 'flush', 'ruleset')
  run('rm', '-rf', pods.dataDir, '/run/overlab')
}

function addNeighbour(): void {
  succeed('ADD', neighbour)
}

function succeed(verb: Verb, attachment: Attachment): void {
  const { status, stdout } = call(verb, attachment)
  assert.equal(status, 0, `${verb}: ${stdout}`)
}
