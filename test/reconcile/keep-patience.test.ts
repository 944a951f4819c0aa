/** What the keeper does while nothing happens, while too much does, and against somebody who will not have it so. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Change, LiveKernel } from '../../src/kernel/live.ts'
import { MILLISECOND, SECOND } from '../../src/model/clock.ts'
import { createModel } from '../../src/model/create.ts'
import { vxlan } from '../../src/overlay/backend/vxlan.ts'
import { type Clock, type KeepEvents, keep } from '../../src/reconcile/keep.ts'
import type { State } from '../../src/reconcile/state.ts'
import { network, uplink, vxlanConfig, vxlanLease } from '../overlay/backend/node.ts'
import { entriesFor, keepWorld, overlayOf } from './keep-cases.ts'
import { modelClock } from './model-clock.ts'

const stateOf = (...peers: number[]): State =>
  vxlan.plan({ uplink, lease: vxlanLease(72), peers: peers.map((n) => vxlanLease(n)), config: network(vxlanConfig) })

/** A model with an uplink, and a count of what is asked of it. */
function observed() {
  const kernel = createModel()
  const clock = modelClock(kernel)
  keepWorld(kernel, clock)
  const calls: string[] = []
  const watchers: ((change: Change | 'lost') => void)[] = []
  const counted = new Proxy(kernel, {
    get(target, room: keyof LiveKernel) {
      const value = target[room]
      if (room === 'watch') {
        return (subjects: readonly Change['subject'][], onChange: (change: Change | 'lost') => void) => {
          watchers.push(onChange)
          return target.watch(subjects, onChange)
        }
      }
      if (typeof value !== 'object') return value
      return new Proxy(value, {
        get(object, method) {
          const call = Reflect.get(object, method, object)
          if (typeof call !== 'function') return call
          return (...args: unknown[]) => {
            calls.push(`${room}.${String(method)}`)
            return Reflect.apply(call, object, args)
          }
        },
      })
    },
  }) as LiveKernel
  /** Milliseconds that timers were asked for and neither ran nor were cancelled. */
  const timers = new Map<object, number>()
  let set = 0
  const watched: Clock = {
    now: () => clock.now() + set,
    after(milliseconds, run) {
      const timer = {}
      timers.set(timer, milliseconds)
      const cancel = clock.after(milliseconds, () => {
        timers.delete(timer)
        run()
      })
      return () => {
        timers.delete(timer)
        cancel()
      }
    },
  }
  return {
    kernel,
    calls,
    timers,
    tell: (change: Change | 'lost') => {
      for (const watcher of watchers) watcher(change)
    },
    keep: (events?: KeepEvents) => keep(counted, watched, events),
    /** Sets the clock, by so many milliseconds. */
    set: (milliseconds: number) => {
      set += milliseconds
    },
    pass: (milliseconds: number) => kernel.model.advance(milliseconds * MILLISECOND),
  }
}

/** Milliseconds: by then the links' own IPv6 addresses are no longer tentative, and no router is looked for. */
const QUIET = 20_000

const CHANGING = /\.(?:add|set|delete|replace|append|batch|commit)$/

test('while nothing happens, nothing is asked for and no timer is shorter than a minute', () => {
  const { keep, pass, calls, timers } = observed()
  keep().desire(stateOf(2, 3))
  pass(QUIET)
  calls.length = 0
  pass(30_000)
  assert.deepEqual(calls, [])
  assert.deepEqual([...timers.values()], [60_000])
})

test('once a minute everything is looked at: a setting that changed without a word is put right', () => {
  const { kernel, keep, pass } = observed()
  const key = 'net/ipv6/conf/flannel.1/accept_ra'
  keep().desire(stateOf(2))
  pass(1000)
  kernel.sysctl.set(key, '1')
  pass(61_000)
  assert.equal(kernel.sysctl.get(key), '0')
})

test('one node more among many is three calls, and no list', () => {
  const { keep, pass, calls } = observed()
  const many = Array.from({ length: 60 }, (_, i) => i + 1)
  const keeper = keep()
  keeper.desire(stateOf(...many))
  pass(1000)
  calls.length = 0
  keeper.desire(stateOf(...many, 99))
  assert.deepEqual(calls, ['neighbours.replace', 'fdb.replace', 'routes.batch'])
})

test('our own changes are looked at once, and nothing is written for them', () => {
  const { keep, pass, calls } = observed()
  const keeper = keep()
  keeper.desire(stateOf(2))
  pass(1000)
  calls.length = 0
  keeper.desire(stateOf(2, 3))
  const wrote = calls.length
  pass(10_000)
  const later = calls.slice(wrote)
  assert.deepEqual(
    later.filter((call) => CHANGING.test(call)),
    [],
  )
  assert.equal(later.filter((call) => call === 'neighbours.list').length, 1)
})

test('changes of links that are not ours, and neighbours of them, are no reason to look', () => {
  const { kernel, keep, pass, calls } = observed()
  keep().desire(stateOf(2))
  pass(QUIET)
  calls.length = 0
  kernel.links.add({ kind: 'bridge', name: 'cni0', up: true })
  kernel.neighbours.add({ link: 'eth0', address: '192.168.77.2', mac: '02:00:00:00:00:02' })
  pass(1000)
  assert.deepEqual(
    calls.filter((call) => call !== 'routes.list'),
    [],
  )
})

test('of a storm of notifications there is a look in every moment, and no more', () => {
  const { keep, pass, tell, calls } = observed()
  keep().desire(stateOf(2))
  pass(1000)
  calls.length = 0
  for (let i = 0; i < 1000; i++) {
    for (let n = 0; n < 10; n++) tell({ subject: 'neighbour', operation: 'new', link: 'flannel.1' })
    pass(1)
  }
  const looks = calls.filter((call) => call === 'neighbours.list').length
  assert.ok(looks >= 40 && looks <= 51, `${looks} looks in a second`)
})

test('who lost notifications looks at everything', () => {
  const { kernel, keep, pass, tell } = observed()
  keep().desire(stateOf(2))
  pass(1000)
  // Nobody tells of this: the model notifies of no setting.
  kernel.sysctl.set('net/ipv6/conf/flannel.1/accept_ra', '1')
  tell('lost')
  pass(50)
  assert.equal(kernel.sysctl.get('net/ipv6/conf/flannel.1/accept_ra'), '0')
})

test('who undoes what we do is met often at first, and then once a second; and is told of', () => {
  const { kernel, keep, pass } = observed()
  const contested: string[] = []
  let mended = 0
  const keeper = keep({
    contested: (what) => contested.push(what),
    done(operations, cause) {
      if (cause === 'changed') mended += operations.length
    },
  })
  keeper.desire(stateOf(2, 3))
  const route = { destination: '10.5.2.0/24', link: 'flannel.1' }
  const isThere = () =>
    kernel.routes.list({ link: 'flannel.1' }).some(({ destination }) => destination === '10.5.2.0/24')
  for (let i = 0; i < 60_000; i += 10) {
    if (isThere()) kernel.routes.delete(route)
    pass(10)
  }
  assert.ok(mended >= 60 && mended <= 75, `${mended} times in a minute`)
  assert.deepEqual(contested, ['route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink'])
  pass(2000)
  assert.deepEqual(overlayOf(kernel), entriesFor(2, 3))
  pass(11_000)
  kernel.routes.delete(route)
  pass(50)
  assert.ok(isThere(), 'it is forgotten when it is over')
})

test('what is refused is tried again later and later, every five seconds at last', () => {
  const { keep, pass, calls } = observed()
  const refused: string[] = []
  const keeper = keep({ refused: (error) => refused.push(error.message) })
  pass(QUIET)
  keeper.desire({ routes: [{ destination: '10.5.2.0/24', gateway: '192.168.99.2', link: 'eth0', protocol: 3 }] })
  const tries = () => calls.filter((call) => call === 'routes.batch').length
  const at: number[] = []
  let before = tries()
  for (let ms = 0; ms < 30_000; ms += 10) {
    pass(10)
    if (tries() > before) at.push(Math.round(ms / 100) * 100)
    before = tries()
  }
  const pauses = at.map((ms, i) => ms - (at[i - 1] ?? 0))
  assert.deepEqual(pauses.slice(0, 9), [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
  assert.equal(refused.length, 1)
  keeper.desire({})
  assert.deepEqual(keeper.refused, [])
})

for (const hours of [-5, 5]) {
  test(`a clock that is set by ${hours} hours changes nothing: damage is mended, what is refused is tried again`, () => {
    const { kernel, keep, pass, calls, set } = observed()
    const keeper = keep()
    const state = stateOf(2)
    const refused = { destination: '10.5.3.0/24', gateway: '192.168.99.2', link: 'eth0', protocol: 3 }
    keeper.desire({ ...state, routes: [...state.routes!, refused] })
    pass(QUIET)
    kernel.routes.delete({ destination: '10.5.2.0/24', link: 'flannel.1' })
    pass(50)
    set(hours * 3_600_000)
    kernel.routes.delete({ destination: '10.5.2.0/24', link: 'flannel.1' })
    pass(50)
    assert.deepEqual(overlayOf(kernel), entriesFor(2))
    calls.length = 0
    pass(30_000)
    const tries = calls.filter((call) => call === 'routes.batch').length
    assert.ok(tries >= 5 && tries <= 12, `${tries} tries in half a minute`)
  })
}

test('after close nothing is done, whatever happens', () => {
  const { kernel, keep, pass, calls, timers } = observed()
  const keeper = keep()
  keeper.desire(stateOf(2))
  kernel.links.delete('flannel.1')
  keeper.close()
  calls.length = 0
  pass(100_000)
  keeper.desire(stateOf(2))
  assert.deepEqual([calls, timers.size], [[], 0])
})

test('a kernel that cannot be read is read again', () => {
  const { kernel, keep, pass } = observed()
  const failures: string[] = []
  const { neighbours } = kernel
  const list = neighbours.list.bind(neighbours)
  let broken = true
  neighbours.list = (filter) => {
    if (broken) throw new Error('Cannot list neighbours: EINTR')
    return list(filter)
  }
  keep({ failed: (error) => failures.push(error.message) }).desire(stateOf(2))
  assert.deepEqual(failures, ['Cannot list neighbours: EINTR'])
  broken = false
  pass(1100)
  assert.deepEqual(overlayOf(kernel), entriesFor(2))
  pass(10 * (SECOND / MILLISECOND))
  assert.equal(failures.length, 1)
})
