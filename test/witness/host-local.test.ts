/** Our host-local and the reference's take turns, and race, on one directory: nobody can tell from the answers who was asked. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'vitest'
import { referencePlugins } from '../support/peers.ts'

const ours = join(import.meta.dirname, '../../cni-bin')
const reference = referencePlugins()

type Verb = 'ADD' | 'CHECK' | 'DEL'

interface Call {
  readonly verb: Verb
  readonly id: string
  readonly ifName?: string
  readonly args?: string
  readonly dataDir: string
  readonly ipam?: object
}

interface Answer {
  readonly succeeded: boolean
  readonly ips: readonly string[]
  readonly stdout: string
}

const environment = ({ verb, id, ifName = 'eth0', args = '' }: Call, folder: string) => ({
  CNI_COMMAND: verb,
  CNI_CONTAINERID: id,
  CNI_IFNAME: ifName,
  CNI_NETNS: '/run/netns/none',
  CNI_ARGS: args,
  CNI_PATH: folder,
})

const configuration = ({ dataDir, ipam = { subnet: '10.1.2.0/28' } }: Call) =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'lan', type: 'bridge', ipam: { type: 'host-local', dataDir, ...ipam } })

function answerOf(status: number | null, stdout: string): Answer {
  const ips = status === 0 && stdout ? (JSON.parse(stdout).ips as { address: string }[]) : []
  return { succeeded: status === 0, ips: ips.map(({ address }) => address), stdout }
}

function call(folder: string, request: Call, by: readonly string[] = []): Answer {
  const [program, ...rest] = [...by, join(folder, 'host-local')]
  const { status, stdout, error } = spawnSync(program!, rest, {
    input: configuration(request),
    env: { ...environment(request, folder), PATH: process.env.PATH },
    encoding: 'utf8',
  })
  if (error) throw error
  return answerOf(status, stdout)
}

function callAtOnce(folder: string, request: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(folder, 'host-local'), { env: environment(request, folder) })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.on('error', reject)
    child.on('close', (status) => resolve(answerOf(status, stdout)))
    child.stdin.end(configuration(request))
  })
}

/** Name, mode and text of every file. */
function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const path = join(directory, name)
      return `${name} ${(statSync(path).mode & 0o777).toString(8)} ${JSON.stringify(readFileSync(path, 'utf8'))}`
    })
}

let directories = 0
const newDirectory = () => `/var/lib/networks-${directories++}`

test('taking turns with the reference gives what the reference alone gives, file for file', () => {
  const ranges = [
    [{ subnet: '10.1.2.0/29', rangeStart: '10.1.2.3' }, { subnet: '10.1.3.0/30' }],
    [{ subnet: 'fd00::/125', gateway: 'fd00::4' }],
  ]
  const step = fc.record({
    who: fc.constantFrom(ours, reference),
    verb: fc.constantFrom<Verb>('ADD', 'ADD', 'ADD', 'DEL', 'CHECK'),
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    ifName: fc.constantFrom('eth0', 'eth1'),
    args: fc.constantFrom('', '', '', 'IP=10.1.2.5', 'IP=fd00::6', 'IP=10.1.2.1', 'IP=192.0.2.1'),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) => {
      const shared = newDirectory()
      const alone = newDirectory()
      for (const { who, ...request } of steps) {
        // An ADD that fails takes from the attachment all that the reference ever gave it, and what it has just given of ours.
        const isHolder = filesIn(`${alone}/lan`).some((line) => line.endsWith(`"${request.id}\\r\\n${request.ifName}"`))
        if (request.args !== '' && isHolder) continue
        const answer = call(who, { ...request, dataDir: shared, ipam: { ranges } })
        const expected = call(reference, { ...request, dataDir: alone, ipam: { ranges } })
        assert.equal(answer.succeeded, expected.succeeded, answer.stdout || expected.stdout)
        assert.deepEqual(answer.ips, expected.ips)
        assert.deepEqual(filesIn(`${shared}/lan`), filesIn(`${alone}/lan`))
      }
    }),
    { numRuns: 15 },
  )
})

test('fifty of ours and the reference at once get fifty addresses, and release them', async () => {
  const dataDir = newDirectory()
  const ipam = { subnet: '10.1.0.0/24' }
  const each = Array.from({ length: 50 }, (_, i) => ({ folder: i % 2 ? ours : reference, id: `c${i}` }))
  const added = await Promise.all(each.map(({ folder, id }) => callAtOnce(folder, { verb: 'ADD', id, dataDir, ipam })))
  assert.equal(new Set(added.flatMap(({ ips }) => ips)).size, 50)
  // The other one releases what the one reserved.
  const deleted = await Promise.all(
    each.map(({ folder, id }) => callAtOnce(folder === ours ? reference : ours, { verb: 'DEL', id, dataDir, ipam })),
  )
  assert.deepEqual(
    deleted.filter(({ succeeded }) => !succeeded),
    [],
  )
  assert.deepEqual(readdirSync(`${dataDir}/lan`).sort(), ['last_reserved_ip.0', 'lock'])
})

test('where /run cannot be written, the answers are the same', () => {
  const dataDir = newDirectory()
  const readOnly = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o ro none /run && exec "$0"']
  assert.deepEqual(call(ours, { verb: 'ADD', id: 'a', dataDir }, readOnly).ips, ['10.1.2.2/28'])
  assert.equal(call(ours, { verb: 'ADD', id: 'a', dataDir }, readOnly).succeeded, false)
  assert.equal(call(ours, { verb: 'CHECK', id: 'a', dataDir }, readOnly).succeeded, true)
  assert.equal(call(ours, { verb: 'DEL', id: 'a', dataDir }, readOnly).succeeded, true)
  assert.deepEqual(readdirSync(`${dataDir}/lan`).sort(), ['last_reserved_ip.0', 'lock'])
})

/** From the lock on: what comes before is the executable's start. */
function traceCalls(request: Call): number {
  const trace = `${request.dataDir}/trace`
  const { succeeded, stdout } = call(ours, request, ['strace', '-o', trace])
  assert.ok(succeeded, stdout)
  const lines = readFileSync(trace, 'utf8').trim().split('\n')
  return lines.length - lines.findIndex((line) => line.includes('/lock"'))
}

test('with 10,000 addresses taken, ADD and DEL make as many system calls as with ten', () => {
  const counts = [10, 10_000].map((taken) => {
    const dataDir = newDirectory()
    mkdirSync(`${dataDir}/lan`, { recursive: true })
    for (let i = 2; i < taken + 2; i++) writeFileSync(`${dataDir}/lan/10.1.${i >> 8}.${i & 255}`, `other${i}\r\neth0`)
    const request = { id: 'a', dataDir, ipam: { subnet: '10.1.0.0/16' } }
    const cycle = () => (['ADD', 'DEL'] as const).map((verb) => traceCalls({ ...request, verb }))
    cycle() // makes the index
    const behindTheLast = cycle()
    writeFileSync(`${dataDir}/lan/last_reserved_ip.0`, '10.1.0.1')
    return { behindTheLast, fromTheStartOfTheRun: cycle() }
  })
  const [few, many] = [counts[0]!, counts[1]!]
  assert.ok(few.behindTheLast[0]! <= 24 && few.behindTheLast[1]! <= 19, JSON.stringify(counts))
  assert.ok(Math.abs(few.behindTheLast[0]! - many.behindTheLast[0]!) <= 4, JSON.stringify(counts))
  assert.ok(Math.abs(few.fromTheStartOfTheRun[0]! - many.fromTheStartOfTheRun[0]!) <= 8, JSON.stringify(counts))
})
