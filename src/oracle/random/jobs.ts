/**
 * Cases in several processes at once, each in namespaces that go with it however it ends: a mount namespace with a /run of
 * its own, so that what it names is nobody else's. Whoever is not root gets a user namespace besides.
 *
 *   campaign ── { kind, number } ──> job ── CaseReport ──> campaign ── the next …
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { CaseReport } from './campaign.ts'

export interface CaseOrder {
  readonly kind: string
  readonly number: number
}

/** A report, or why there is none. */
export type JobAnswer = { readonly report: CaseReport } | { readonly order: CaseOrder; readonly error: string }

/** `script` answers every order by a message. Resolves when all have been answered; rejects when a job ends before that. */
export async function runJobs(
  script: string,
  count: number,
  orders: Iterable<CaseOrder>,
  onAnswer: (answer: JobAnswer) => void,
): Promise<void> {
  const queue = orders[Symbol.iterator]()
  const jobs = Array.from({ length: count }, () => runJob(script, queue, onAnswer))
  await Promise.all(jobs)
}

function runJob(script: string, queue: Iterator<CaseOrder>, onAnswer: (answer: JobAnswer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const job = startJob(script)
    let current: CaseOrder | undefined
    const next = () => {
      const { value, done } = queue.next()
      current = done ? undefined : value
      if (current) job.send(current)
      else job.disconnect()
    }
    job.on('message', (answer: JobAnswer) => {
      onAnswer(answer)
      next()
    })
    job.on('error', reject)
    job.on('exit', (status, signal) => {
      if (current === undefined) resolve()
      else reject(new Error(`A job ended with ${signal ?? status} at case ${current.number} of ${current.kind}`))
    })
    next()
  })
}

/** unshare(1) becomes the job: its channel stays open. */
function startJob(script: string): ChildProcess {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  return fork(script, {
    execPath: 'unshare',
    execArgv: [...user, '--mount', '--propagation', 'private', '--net', process.execPath, ...process.execArgv],
  })
}
