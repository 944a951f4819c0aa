/** How a namespace differs from its desired state, in words: what CHECK says, and what a daemon has found and put right. */
import { KernelError } from '../kernel/errors.ts'
import { plan } from './reconcile.ts'
import type { Operation, SeenState, State } from './state.ts'
import { subjects } from './subjects.ts'

/** Every difference, as a sentence without a full stop: `route 0.0.0.0/0 via 10.1.2.1 dev eth0 is missing`. */
export function compare(desired: State, seen: SeenState): string[] {
  try {
    return describeDifferences(plan(desired, seen))
  } catch (error) {
    if (error instanceof KernelError) return [error.message] // something of another kind is in its place
    throw error
  }
}

/** What the operations find wrong, a sentence for each. */
export function describeDifferences(operations: readonly Operation[]): string[] {
  return operations.filter((operation) => !mayBeMissing(operation)).map(sentence)
}

/** A setting that the kernel does not have cannot be wrong. */
export function mayBeMissing(operation: Operation): boolean {
  return operation.subject === 'sysctls' && operation.operation === 'add' && operation.desired.optional === true
}

function sentence(operation: Operation): string {
  // One row of the table for one kind of thing: the compiler cannot see that they belong together.
  const subject = subjects[operation.subject] as (typeof subjects)['links']
  if (operation.operation === 'add') return `${subject.describe(operation.desired as never)} is missing`
  if (operation.operation === 'remove') return `${subject.describe(operation.seen as never)} should not be there`
  const differences = subject.differences(operation.desired as never, operation.seen as never)
  return `${subject.describe(operation.desired as never)} is not as it was set up: ${differences.join(', ')}`
}
