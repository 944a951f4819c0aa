/**
 * Connection tracking of TCP in the model and in the kernel: random conversations through a router, segment after segment. After
 * each one both have called it the same (`ct state`), and remember the same of the connection.
 *
 * Two hosts that keep to the protocol, more or less: numbers may be wrong, segments missing, flags nonsense. CONVERSATIONS=2000 and
 * SEED=7 in the environment make them more, and others.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { TCP_CONNTRACK_STATES } from '../../../src/kernel/conntrack.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { tcpFrame } from '../../model/netfilter/segments.ts'
import { followedModel } from '../../support/followed-model.ts'

const kernel: LiveKernel = liveLinux()
const model: LiveKernel = followedModel()
const both = [kernel, model]

const ADDRESSES = ['10.0.1.2', '10.0.2.2'] as const
/** To the router frames of segments.ts go, and from it all to where nobody listens. */
const [ROUTER_MAC, SINK_MAC] = ['02:00:00:00:01:0a', '02:00:00:00:00:99']
const STATES = ['invalid', 'new', 'established', 'related']
const OPTIONS = [2, 4, 5, 180, 4, 2, 3, 3, 7, 1]
/** Milliseconds until a segment that did not come out was dropped: hardly any is. */
const PATIENCE = 2000

const came = new Map<LiveKernel, number>(both.map((each) => [each, 0]))

beforeAll(async () => {
  for (const each of both) {
    for (const n of [1, 2]) {
      const peer = { name: `far${n}`, mac: ROUTER_MAC }
      each.links.add({ kind: 'veth', name: `near${n}`, mac: `02:00:00:00:00:0${n}`, peer })
      for (const link of [`near${n}`, `far${n}`]) {
        each.sysctl.set(`net/ipv6/conf/${link}/disable_ipv6`, '1')
        each.links.set(link, { up: true })
      }
      each.addresses.add({ link: `far${n}`, prefix: `10.0.${n}.1/24` })
      each.neighbours.replace({ link: `far${n}`, address: `10.0.${n}.2`, mac: SINK_MAC, state: 'permanent' })
      each.packets.capture({ link: `near${n}` }, ({ packetType, bytes }) => {
        if (packetType !== 'outgoing' && bytes[12] === 8 && bytes[23] === 6) came.set(each, came.get(each)! + 1)
      })
    }
    each.sysctl.set('net/ipv4/ip_forward', '1')
    await run(each, 'nft add table ip t')
    await run(each, "nft 'add chain ip t forward { type filter hook forward priority 0; }'")
    for (const state of STATES) await run(each, `nft add rule ip t forward ct state ${state} counter`)
  }
  for (const link of ['near1', 'far1', 'near2', 'far2'])
    await eventually(() => kernel.links.get(link)?.operState === 'up', `"${link}" is up`)
})
afterAll(() => {
  for (const n of [1, 2]) kernel.links.delete(`near${n}`)
  kernel.close()
})

async function run(each: LiveKernel, line: string): Promise<void> {
  const { status, stderr } = await runLine(line, { kernel: each, now: () => 0, sleep: async () => {} })
  assert.equal(status, 0, `${line}: ${stderr}`)
}

interface Step {
  /** 0: from the client. */
  readonly from: 0 | 1
  readonly flags: string
  readonly length: number
  readonly window: number
  readonly hasOptions: boolean
  /** By how much the numbers are wrong. */
  readonly sequence: number
  readonly ack: number
  /** The sender begins anew, with other numbers. */
  readonly afresh: boolean
}

const honest = (from: 0 | 1, flags: string, length = 0): Step => ({
  from,
  flags,
  length,
  window: 64_000,
  hasOptions: flags.includes('S'),
  sequence: 0,
  ack: 0,
  afresh: false,
})

const opened = [honest(0, 'S'), honest(1, 'SA'), honest(0, 'A')]
const beginnings: readonly (readonly Step[])[] = [
  [],
  [honest(0, 'S')],
  opened,
  [...opened, honest(0, 'PA', 10), honest(1, 'A')],
  [...opened, honest(1, 'FA'), honest(0, 'FA')],
  [...opened, honest(1, 'FA'), honest(0, 'FA'), honest(1, 'A')],
  [...opened, honest(0, 'RA')],
]

const wrongBy = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(1, -1, 10, -10, 500, 70_000, -70_000, 9_000_000, -9_000_000) },
)
const step: fc.Arbitrary<Step> = fc.record({
  from: fc.constantFrom<0 | 1>(0, 1),
  flags: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom('S', 'SA', 'A', 'A', 'PA', 'FA', 'FA', 'R', 'RA') },
    { weight: 1, arbitrary: fc.constantFrom('', 'F', 'SF', 'SR', 'P', 'UA', 'SAU', 'PUF') },
  ),
  length: fc.constantFrom(0, 0, 0, 1, 100),
  window: fc.constantFrom(64_000, 500, 0),
  hasOptions: fc.boolean(),
  sequence: wrongBy,
  ack: wrongBy,
  afresh: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})
const settings = fc.record({
  nf_conntrack_tcp_loose: fc.constantFrom(1, 1, 0),
  nf_conntrack_tcp_be_liberal: fc.constantFrom(0, 0, 1),
  nf_conntrack_tcp_ignore_invalid_rst: fc.constantFrom(0, 0, 1),
})

/** The frames of a conversation, in words and in bytes. */
function* framesOf(steps: readonly Step[]): Generator<{ readonly words: string; readonly frame: Uint8Array }> {
  const next = [100, 500]
  for (const { from, flags, length, window, hasOptions, afresh, ...wrong } of steps) {
    if (afresh) next[from]! += 1_000_000
    const isFirst = flags.includes('S')
    const [sequence, ack] = [next[from]! + wrong.sequence, flags.includes('A') ? next[1 - from]! + wrong.ack : 0]
    const ends = { source: ADDRESSES[from], destination: ADDRESSES[from === 0 ? 1 : 0] }
    const segment = {
      ports: from === 0 ? ([1000, 80] as const) : ([80, 1000] as const),
      flags,
      sequence: sequence >>> 0,
      ack: ack >>> 0,
      window,
      length,
      options: hasOptions && isFirst ? OPTIONS : [],
    }
    if (wrong.sequence === 0) next[from]! += length + (isFirst || flags.includes('F') ? 1 : 0)
    const words = `${from === 0 ? '>' : '<'} ${flags || '–'} ${sequence} ${ack} ${length} ${window}${segment.options.length > 0 ? ' o' : ''}`
    yield { words, frame: tcpFrame(ends, segment) }
  }
}

/** Packets by `ct state`, in the order of STATES. */
function countsOf(each: LiveKernel): number[] {
  const rules = each.nftables.rules({ family: 'ip', table: 't', name: 'forward' })
  return rules.map(({ expressions }) => {
    const counter = expressions.find(({ type }) => type === 'counter')
    return Number(counter?.type === 'counter' && counter.packets)
  })
}

/** What is known after a segment. */
interface Seen {
  readonly passed: boolean
  readonly counted: readonly number[]
  readonly entry: string
  readonly timeout: number
}

async function send(each: LiveKernel, from: string, frame: Uint8Array): Promise<Seen> {
  const before = came.get(each)!
  each.packets.send(from, frame)
  for (let waited = 0; came.get(each) === before && waited < PATIENCE; waited++)
    await new Promise((resolve) => (each === kernel ? setTimeout(resolve, waited === 0 ? 0 : 1) : resolve(undefined)))
  const [entry] = each.conntrack.list({ family: 'ipv4', protocol: 6 })
  const words = entry
    ? `${entry.original.source} ${entry.state} ${entry.seenReply ? 'replied' : 'unreplied'} ${entry.assured ? 'assured' : ''}`
    : '–'
  return { passed: came.get(each) !== before, counted: countsOf(each), entry: words, timeout: entry?.timeout ?? 0 }
}

test('random conversations are tracked alike', async () => {
  const conversation = fc.record({
    settings,
    begins: fc.constantFrom(...beginnings),
    goesOn: fc.array(step, { minLength: 1, maxLength: 12 }),
  })
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(conversation, async ({ settings, begins, goesOn }) => {
      for (const each of both) {
        each.conntrack.flush()
        for (const [name, value] of Object.entries(settings)) each.sysctl.set(`net/netfilter/${name}`, String(value))
      }
      const told: string[] = []
      // The model's clock stands still; Linux tells whole seconds.
      const began = performance.now()
      const most = () => 1 + Math.ceil((performance.now() - began) / 1000)
      const start = both.map((each) => countsOf(each))
      for (const { words, frame } of framesOf([...begins, ...goesOn])) {
        const link = words.startsWith('>') ? 'near1' : 'near2'
        const [linux, ours] = [await send(kernel, link, frame), await send(model, link, frame)]
        const since = ({ counted, timeout: _, ...rest }: Seen, i: number) => ({
          ...rest,
          counted: counted.map((count, at) => count - start[i]![at]!),
        })
        told.push(`${words}   ${linux.entry} ${linux.timeout}`)
        assert.deepEqual(since(ours, 1), since(linux, 0), `\n${told.join('\n')}`)
        const apart = ours.timeout - linux.timeout
        assert.ok(apart >= 0 && apart <= most(), `${ours.timeout} s, not ${linux.timeout}\n${told.join('\n')}`)
        seen.add(linux.entry.split(' ')[1] ?? 'none')
      }
    }),
    { numRuns: Number(process.env.CONVERSATIONS ?? 150), seed: Number(process.env.SEED ?? 618) },
  )
  // A simultaneous open is rare.
  for (const state of TCP_CONNTRACK_STATES.filter((name) => name !== 'NONE' && name !== 'SYN_SENT2'))
    assert.ok(seen.has(state), `${state} was reached`)
})
