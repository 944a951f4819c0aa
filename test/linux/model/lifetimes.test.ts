/** Addresses that live for some seconds: how they are shown, what becomes of their routes, and what is refused, in both kernels. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, test } from 'vitest'
import type { NewAddress } from '../../../src/kernel/address.ts'
import { ModelKernel } from '../../../src/model/create.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { BothKernels, type Rig } from './both-kernels.ts'

let both: BothKernels

beforeEach(async () => {
  both = new BothKernels('a', 'b')
  both.each(({ a }) => {
    a!.sysctl.set('net/ipv6/conf/all/disable_ipv6', '0')
    a!.sysctl.set('net/ipv6/conf/default/disable_ipv6', '0')
    a!.sysctl.set('net/ipv6/conf/default/addr_gen_mode', '1')
    a!.sysctl.set('net/ipv6/conf/default/accept_dad', '0')
  })
  await both.pair('a:eth0', '02:00:00:00:00:01', 'b:eth0', '02:00:00:00:00:02')
})
afterEach(() => both.close())

/** Linux looks once a second, at a second's beginning: what is due is done within a little more than one. Milliseconds. */
const LATE = 1300

/** Lets both live on. */
async function pass(milliseconds: number): Promise<void> {
  await sleep(milliseconds)
  const { a } = both.model
  assert.ok(a instanceof ModelKernel)
  a.model.advance(milliseconds * 1000)
}

/** What `ip address` and `ip route` say; seconds only whether there are any. */
function shown({ a }: Rig) {
  const ends = (seconds: number) => (seconds === Number.POSITIVE_INFINITY ? 'never' : seconds === 0 ? 'over' : 'ends')
  const addresses = a!.addresses.list('eth0').map((each) => {
    const { prefix, flags, permanent, secondary, validLifetime, preferredLifetime } = each
    return { prefix, flags, permanent, secondary, valid: ends(validLifetime), preferred: ends(preferredLifetime) }
  })
  const routes = a!.routes
    .list({ link: 'eth0' })
    .map(({ destination, type, expires }) => `${type} ${destination} ${expires === undefined ? 'stays' : 'expires'}`)
  return { addresses, routes: routes.sort() }
}

/** Linux makes an address ours a moment after it was set. */
async function equal(): Promise<void> {
  const areEqual = () => isDeepStrictEqual(shown(both.model), shown(both.linux))
  await eventually(areEqual, 'both show the same').catch(() => undefined)
  assert.deepEqual(shown(both.model), shown(both.linux))
}

for (const prefix of ['10.1.0.1/24', 'fd01::1/64']) {
  // Whether it is tentative for a moment is a matter of chance.
  const plain = { prefix, link: 'eth0', ...(prefix.includes(':') && { noDad: true }) }
  const add = (rig: Rig, address: Partial<NewAddress>) => rig.a!.addresses.add({ ...plain, ...address })
  const replace = (rig: Rig, address: Partial<NewAddress>) => rig.a!.addresses.replace({ ...plain, ...address })

  test(`${prefix} is preferred for two seconds, and gone after four`, async () => {
    both.each((rig) => add(rig, { validLifetime: 4, preferredLifetime: 2 }))
    await equal()
    await pass(2000 + LATE)
    await equal()
    assert.equal(both.model.a!.addresses.list('eth0')[0]!.flags & 0x20, 0x20)
    await pass(2000)
    assert.deepEqual(both.model.a!.addresses.list('eth0'), [])
    assert.deepEqual(both.linux.a!.addresses.list('eth0'), [])
  })

  test(`${prefix} is not preferred from the beginning`, async () => {
    both.each((rig) => add(rig, { validLifetime: 100, preferredLifetime: 0 }))
    await equal()
  })

  test(`${prefix} without an end is preferred for some seconds`, async () => {
    both.each((rig) => add(rig, { preferredLifetime: 1 }))
    await equal()
    await pass(1000 + LATE)
    await equal()
  })

  test(`${prefix} gets another lifetime: longer, and then none`, async () => {
    both.each((rig) => add(rig, { validLifetime: 2, preferredLifetime: 1 }))
    both.each((rig) => replace(rig, { validLifetime: 100, preferredLifetime: 50 }))
    await equal()
    await pass(2000 + LATE)
    await equal()
    both.each((rig) => replace(rig, {}))
    await equal()
  })

  test(`${prefix} and another of its subnet: the route stays as long as one of them`, async () => {
    const other = prefix.replace('1/', '2/')
    both.each((rig) => add(rig, {}))
    both.each((rig) => add(rig, { prefix: other, validLifetime: 100, preferredLifetime: 50 }))
    await equal()
    both.each(({ a }) => a!.addresses.delete({ link: 'eth0', prefix }))
    await equal()
  })

  test(`${prefix} with a lifetime, deleted`, async () => {
    both.each((rig) => add(rig, { validLifetime: 100, preferredLifetime: 50 }))
    both.each(({ a }) => a!.addresses.delete({ link: 'eth0', prefix }))
    await equal()
  })

  for (const lifetimes of [
    { validLifetime: 0, preferredLifetime: 0 },
    { validLifetime: 10, preferredLifetime: 11 },
  ]) {
    test(`${prefix} with ${JSON.stringify(lifetimes)} is refused alike`, () => {
      const [linux, model] = both.outcomes((rig) => add(rig, lifetimes))
      assert.equal(model, linux)
    })
  }
}
