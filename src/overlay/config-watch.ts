/**
 * Waits for the network's configuration, and tells when it changes. flannel asks once a second until there is one, and never
 * again; here the store says so. One that is invalid is told once, and the one before it stays.
 */
import { JsonError } from '../json/errors.ts'
import type { Entry, Store, Watch } from '../store/store.ts'
import { type NetworkConfig, parseConfig } from './config.ts'
import type { Notice } from './notice.ts'

export interface ConfigEvents {
  /** The first one, and every other one. */
  config(config: NetworkConfig): void
  notice(notice: Notice): void
}

export function watchConfig(store: Store, key: string, events: ConfigEvents): Watch {
  /** What was last looked at: undefined before the first look, null where there was none. */
  let last: string | null | undefined
  let known: string | undefined

  function look(entry: Entry | undefined): void {
    const value = entry?.value ?? null
    if (value === last) return
    last = value
    if (value === null) {
      missing()
      return
    }
    let config: NetworkConfig
    try {
      config = parseConfig(value)
    } catch (error) {
      if (!(error instanceof JsonError)) throw error
      const goesOn = known === undefined ? 'waiting for another one' : 'the one before it stays'
      notice('error', `Cannot use the network configuration in "${key}": ${error.message}; ${goesOn}`)
      return
    }
    const text = JSON.stringify(config)
    if (text === known) return
    known = text
    events.config(config)
  }

  function missing(): void {
    if (known === undefined)
      notice('warning', `There is no network configuration in "${key}" of ${store.name}: waiting`)
    else notice('warning', `The network configuration "${key}" is gone from ${store.name}: the one before it stays`)
  }

  function notice(level: Notice['level'], message: string): void {
    events.notice({ level, subject: 'config', message, key })
  }

  return store.watch(key, {
    listed: ({ entries }) => look(entries.find((entry) => entry.key === key)),
    changed(changes) {
      for (const change of changes) {
        if (change.operation === 'delete' && change.key === key) look(undefined)
        else if (change.operation === 'put' && change.entry.key === key) look(change.entry)
      }
    },
    // The registry's other watch of the same store tells it.
    lost() {},
  })
}
