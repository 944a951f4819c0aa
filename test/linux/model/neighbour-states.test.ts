/**
 * A neighbour as `ip neigh` shows it from second to second, in both kernels: it is known, grows stale, is used, is asked, and has
 * failed or is known again. Half a minute is what Linux believes a neighbour for, and five seconds pass until one that is stale
 * is asked; here it is four, and one.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { ModelKernel } from '../../../src/model/create.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { BothKernels, type Rig } from './both-kernels.ts'

const HERE = '02:00:00:00:00:01'
const THERE = '02:00:00:00:00:02'

const families = [
  { family: 'ipv4', own: '10.1.0.1/24', other: '10.1.0.2', length: 24 },
  { family: 'ipv6', own: 'fd01::1/64', other: 'fd01::2', length: 64 },
] as const

let both: BothKernels

beforeEach(async () => {
  both = new BothKernels('a', 'b')
  both.each(({ a, b }) => {
    for (const each of [a!, b!]) {
      for (const which of ['all', 'default']) each.sysctl.set(`net/ipv6/conf/${which}/disable_ipv6`, '0')
      // Who asks again asks from a link-local address.
      each.sysctl.set('net/ipv6/conf/default/addr_gen_mode', '0')
      each.sysctl.set('net/ipv6/conf/default/accept_dad', '0')
      each.sysctl.set('net/ipv6/conf/default/router_solicitations', '0')
    }
  })
  await both.pair('a:eth0', HERE, 'b:eth0', THERE)
  both.each(({ a, b }) => {
    for (const { family, own, other, length } of families) {
      const noDad = family === 'ipv6' ? { noDad: true } : {}
      a!.addresses.add({ link: 'eth0', prefix: own, ...noDad })
      b!.addresses.add({ link: 'eth0', prefix: `${other}/${length}`, ...noDad })
      a!.sysctl.set(`net/${family}/neigh/eth0/base_reachable_time_ms`, '4000')
      a!.sysctl.set(`net/${family}/neigh/eth0/delay_first_probe_time`, '1')
    }
  })
  await eventually(() => routesOf(both.linux) === routesOf(both.model), 'addresses are ready')
})
afterEach(() => both.close())

const routesOf = ({ a }: Rig) => a!.routes.list({ link: 'eth0' }).length

/** Lets both live on. Milliseconds. */
async function pass(milliseconds: number): Promise<void> {
  await sleep(milliseconds)
  const { a } = both.model
  assert.ok(a instanceof ModelKernel)
  a.model.advance(milliseconds * 1000)
}

/** What both show now, which must be the same. */
async function shown(other: string): Promise<string> {
  const lines = []
  for (const { a } of [both.linux, both.model]) {
    const context = { kernel: a!, now: () => performance.now(), sleep: async () => undefined }
    const { stdout } = await runLine(`ip neigh show ${other} dev eth0`, context)
    lines.push(stdout.trim())
  }
  const [linux, model] = lines
  assert.equal(model, linux)
  return linux!
}

/** Both send an echo request; whether it is answered is nobody's concern here. */
async function use(other: string): Promise<void> {
  await Promise.all([both.linux, both.model].map(({ a }) => a!.ping(other, { timeout: 100 }).catch(() => undefined)))
}

/** Whoever asks for it hears nothing from now on. */
function silence(family: 'ipv4' | 'ipv6', prefix: string): void {
  both.each(({ b }) => {
    b!.addresses.delete({ link: 'eth0', prefix })
    // It would answer for an address of another's link.
    if (family === 'ipv4') b!.sysctl.set('net/ipv4/conf/all/arp_ignore', '8')
  })
}

describe.each(families)('$family', ({ family, other, length }) => {
  const known = `${other} lladdr ${THERE}`

  test('who falls silent is reachable, stale, delay, probe, failed', async () => {
    await use(other)
    assert.equal(await shown(other), `${known} REACHABLE`)
    silence(family, `${other}/${length}`)
    await pass(6_700)
    assert.equal(await shown(other), `${known} STALE`)
    await use(other)
    assert.equal(await shown(other), `${known} DELAY`)
    await pass(2_500)
    assert.equal(await shown(other), `${known} PROBE`)
    await pass(3_000)
    assert.equal(await shown(other), `${other} FAILED`)
  })

  test('who answers is reachable again when it was asked', async () => {
    await use(other)
    await pass(6_700)
    assert.equal(await shown(other), `${known} STALE`)
    await use(other)
    assert.equal(await shown(other), `${known} DELAY`)
    await pass(1_500)
    assert.equal(await shown(other), `${known} REACHABLE`)
  })

  test('nobody there: incomplete, then failed after three seconds', async () => {
    const nobody = other.replace(/2$/, '9')
    await use(nobody)
    assert.equal(await shown(nobody), `${nobody} INCOMPLETE`)
    await pass(2_000)
    assert.equal(await shown(nobody), `${nobody} INCOMPLETE`)
    await pass(2_000)
    assert.equal(await shown(nobody), `${nobody} FAILED`)
  })
})
