/** ping over the virtual clock: what it prints when answers come late, not at all, or with an error. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Context } from '../../src/command/command.ts'
import { runLine } from '../../src/command/run.ts'
import type { EchoAnswer, EchoRequest } from '../../src/kernel/live.ts'

interface Plan {
  /** Milliseconds after the request; left out: none comes. */
  readonly after?: number
  readonly answer: EchoAnswer
}

/** A kernel whose answers are given, by sequence, and the requests it was asked for with their times. */
function machine(plans: readonly Plan[]) {
  let now = 5000
  const sent: { readonly time: number; readonly request: EchoRequest }[] = []
  const due: { readonly time: number; readonly call: () => void }[] = []
  const kernel = {
    addresses: { list: () => [{ prefix: '10.0.0.1/24' }] },
    routes: { lookup: () => ({ type: 'unicast', link: 'eth0' }) },
    links: { get: () => ({ mtu: 1450 }) },
    sendPing(_to: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void) {
      sent.push({ time: now - 5000, request })
      const plan = plans[sent.length - 1]
      if (plan?.after === 0) onAnswer(plan.answer)
      else if (plan?.after !== undefined) due.push({ time: now + plan.after, call: () => onAnswer(plan.answer) })
    },
  }
  const context: Context = {
    kernel: kernel as unknown as Context['kernel'],
    now: () => now,
    async sleep(milliseconds) {
      now += milliseconds
      for (const each of due.splice(0)) {
        if (each.time <= now) each.call()
        else due.push(each)
      }
    },
  }
  return { context, sent }
}

const reply = (milliseconds: number): EchoAnswer => ({ outcome: 'reply', from: '10.0.0.2', ttl: 63, milliseconds })
const unreachable: EchoAnswer = { outcome: 'error', from: '10.0.0.1', type: 3, code: 1 }
const title = 'PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n'

test('requests go out an interval apart, with one identifier and sequences from 1', async () => {
  const { context, sent } = machine([
    { after: 1, answer: reply(1) },
    { after: 1, answer: reply(1) },
    { after: 1, answer: reply(1) },
  ])
  await runLine('ping -c3 -i 0.5 10.0.0.2', context)
  assert.deepEqual(
    sent.map(({ time }) => time),
    [0, 500, 1000],
  )
  assert.deepEqual(
    sent.map(({ request }) => request.sequence),
    [1, 2, 3],
  )
  assert.equal(new Set(sent.map(({ request }) => request.identifier)).size, 1)
})

test('the longer a round trip, the fewer its digits', async () => {
  const plans = [0.0447, 1.234567, 12.345, 123.4].map((time) => ({ after: time, answer: reply(time) }))
  const { stdout } = await runLine('ping -c4 10.0.0.2', machine(plans).context)
  assert.equal(
    stdout,
    `${title}64 bytes from 10.0.0.2: icmp_seq=1 ttl=63 time=0.045 ms
64 bytes from 10.0.0.2: icmp_seq=2 ttl=63 time=1.24 ms
64 bytes from 10.0.0.2: icmp_seq=3 ttl=63 time=12.3 ms
64 bytes from 10.0.0.2: icmp_seq=4 ttl=63 time=123 ms

--- 10.0.0.2 ping statistics ---
4 packets transmitted, 4 received, 0% packet loss, time 3000ms
rtt min/avg/max/mdev = 0.045/34.256/123.400/51.690 ms
`,
  )
})

test('neighbours that do not answer are told of three seconds later, all at once', async () => {
  const plans = [3060, 2060, 1060].map((after) => ({ after, answer: unreachable }))
  const outcome = await runLine('ping -c3 10.0.0.2', machine(plans).context)
  assert.deepEqual(outcome, {
    status: 1,
    stdout: `${title}From 10.0.0.1 icmp_seq=1 Destination Host Unreachable
From 10.0.0.1 icmp_seq=2 Destination Host Unreachable
From 10.0.0.1 icmp_seq=3 Destination Host Unreachable

--- 10.0.0.2 ping statistics ---
3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2000ms
pipe 3
`,
    stderr: '',
  })
})

test('without answers ping waits for what -W says and ends with status 1', async () => {
  const { context } = machine([])
  const before = context.now()
  const { status, stdout } = await runLine('ping -c2 -W3 10.0.0.2', context)
  assert.equal(status, 1)
  assert.match(stdout, /\n2 packets transmitted, 0 received, 100% packet loss, time 1000ms\n\n$/)
  assert.equal(context.now() - before, 4000)
})

test('a third of the packets lost is told with six digits', async () => {
  const { stdout, status } = await runLine(
    'ping -c3 -q 10.0.0.2',
    machine([{ after: 1, answer: reply(1) }, { answer: reply(1) }, { after: 1, answer: reply(1) }]).context,
  )
  assert.equal(status, 0)
  assert.match(stdout, /3 packets transmitted, 2 received, 33\.3333% packet loss/)
})

test('-w ends it after that many seconds, with status 1 where answers are missing', async () => {
  const plans = Array.from({ length: 9 }, () => ({ after: 1, answer: reply(1) }))
  const { context, sent } = machine(plans)
  const { status } = await runLine('ping -c9 -w 2.5 10.0.0.2 || ping -c9 -w 2 10.0.0.2', context)
  assert.equal(status, 1)
  assert.equal(sent.length, 2)
})

test('what is too long for its way is refused by our own kernel', async () => {
  const plans = [{ after: 0, answer: { outcome: 'refused', errno: 'EMSGSIZE' } as const }]
  const { stdout, stderr } = await runLine('ping -c1 -M do -s 1472 10.0.0.2', machine(plans).context)
  assert.equal(stderr, 'ping: local error: message too long, mtu=1450\n')
  assert.match(stdout, /1 packets transmitted, 0 received, \+1 errors, 100% packet loss/)
})

test('a router says which MTU would do', async () => {
  const plans = [{ after: 1, answer: { ...unreachable, code: 4, mtu: 1400 } as EchoAnswer }]
  const { stdout } = await runLine('ping -c1 10.0.0.2', machine(plans).context)
  assert.match(stdout, /^From 10\.0\.0\.1 icmp_seq=1 Frag needed and DF set \(mtu = 1400\)$/m)
})

test('a source that is not ours cannot be bound', async () => {
  const outcome = await runLine('ping -c1 -I 10.0.0.9 10.0.0.2', machine([]).context)
  assert.deepEqual(outcome, { status: 2, stdout: '', stderr: 'ping: bind: Cannot assign requested address\n' })
})

test('without -c and -w it would never end', async () => {
  const { status, stderr } = await runLine('ping 10.0.0.2', machine([]).context)
  assert.equal(status, 2)
  assert.match(stderr, /^overlab: ping: not modelled: without -c or -w/)
})
