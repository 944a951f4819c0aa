/**
 * A store whose answers and events come late, in an order that chance decides: each call waits before it reaches the store and
 * before its answer is back, and what a watch tells waits too, without being reordered.
 */

import type { Clock } from '../../src/store/clock.ts'
import type { Store, WatchEvents } from '../../src/store/store.ts'

export function slowStore(store: Store, clock: Clock, delay: () => number): Store {
  const pause = () => new Promise<void>((resolve) => clock.after(delay(), resolve))
  async function late<T>(call: () => Promise<T>): Promise<T> {
    await pause()
    const answer = await call().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    await pause()
    if ('error' in answer) throw answer.error
    return answer.value
  }
  return {
    name: store.name,
    get: (key) => late(() => store.get(key)),
    list: (prefix) => late(() => store.list(prefix)),
    transact: (conditions, writes) => late(() => store.transact(conditions, writes)),
    grant: (seconds) => late(() => store.grant(seconds)),
    keepAlive: (lease) => late(() => store.keepAlive(lease)),
    timeToLive: (lease) => late(() => store.timeToLive(lease)),
    revoke: (lease) => late(() => store.revoke(lease)),
    watch(prefix, events) {
      let isClosed = false
      let last = Promise.resolve()
      const later = (tell: () => void) => {
        last = last.then(pause).then(() => {
          if (!isClosed) tell()
        })
      }
      const lateEvents: WatchEvents = {
        listed: (listing) => later(() => events.listed(listing)),
        changed: (changes) => later(() => events.changed(changes)),
        lost: (error) => later(() => events.lost(error)),
      }
      const watch = store.watch(prefix, lateEvents)
      return {
        close() {
          isClosed = true
          watch.close()
        },
      }
    },
    reconnect: () => store.reconnect(),
    close: () => store.close(),
  }
}
