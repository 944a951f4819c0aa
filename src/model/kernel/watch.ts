/** Notifications: what every table of the namespace tells, as rtnetlink's and nf_tables' groups do. */
import type { Change, Subscription } from '../../kernel/live.ts'
import type { Namespace } from '../namespace.ts'

/**
 * A change is told when the clock runs next, at the moment at which it happened: whoever is told finds the call done that
 * made it, and may make calls of his own. Routes that are changed by `exceptBy` are not told.
 */
export function watch(
  namespace: Namespace,
  subjects: readonly Change['subject'][],
  onChange: (change: Change | 'lost') => void,
  exceptBy?: object,
): Subscription {
  const { model, watchers } = namespace
  let open = true
  const watcher = (change: Change) => {
    if (!subjects.includes(change.subject)) return
    if (exceptBy && change.subject === 'route' && namespace.routesChangedBy === exceptBy) return
    model.clock.after(0, () => {
      if (open) onChange(change)
    })
  }
  watchers.add(watcher)
  return {
    close() {
      open = false
      watchers.delete(watcher)
    },
  }
}
