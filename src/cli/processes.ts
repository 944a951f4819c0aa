/** Processes of this machine, and where they run: proc(5). */
import { readdirSync } from 'node:fs'
import type { Host } from '../cni/host.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Processes, ProcessIdentity } from '../lab/machine.ts'
import { host } from '../linux/host.ts'
import { Namespace } from '../linux/netns.ts'

/**
 * Makes the call, which starts a child and does nothing else, in the namespace: children are where the main thread is
 * when it forks.
 */
export function inNamespace<T>(path: string, call: () => T): T {
  const namespace = Namespace.open(path)
  if (!namespace) throw new KernelError('ENOENT', `enter network namespace "${path}"`)
  try {
    return namespace.inside(call)
  } finally {
    namespace.close()
  }
}

export const processes: Processes = {
  own: { id: process.pid, started: startOf(process.pid)! },
  isAlive: ({ id, started }: ProcessIdentity) => startOf(id) === started,
  inNamespace(path) {
    const namespace = statusOf(path)
    const ids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
    return ids.map(Number).filter((id) => {
      const status = statusOf(`/proc/${id}/ns/net`)
      return status && status.device === namespace?.device && status.inode === namespace?.inode
    })
  },
  end(id, signal) {
    try {
      process.kill(id, signal)
      process.kill(id, 'SIGCONT') // a stopped one would not hear it
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  },
}

/**
 * Fields 3 and 22 of stat, proc(5), counted from behind the closing parenthesis of field 2, which may hold anything.
 * Undefined for one that is not there, or has ended and is not yet reaped.
 */
export function startOf(id: number): string | undefined {
  const stat = host.files.read(`/proc/${id}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[22 - 3]
}

/** Undefined also for processes of others, which are none of ours. */
function statusOf(path: string): ReturnType<Host['files']['status']> {
  try {
    return host.files.status(path)
  } catch (error) {
    if (error instanceof KernelError) return undefined
    throw error
  }
}
