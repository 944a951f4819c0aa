/** The store of `overlab pool`, and what its refusals mean for the command's end. */
import { files } from '../../linux/files.ts'
import { PoolError } from '../../pool/errors.ts'
import { carryOut, type Steps } from '../../pool/steps.ts'
import { openStore } from '../../store/open.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { asUsage, CommandError, Exit } from '../exit.ts'
import { type StoreFlags, storeSettings } from './flags.ts'

export function openPoolStore(flags: StoreFlags, report: (problem: string) => void): Promise<Store> {
  return asUsage(() => openStore(storeSettings(flags), { tryLock: files.tryLock, report }))
}

/** Does it in the store, and closes that. CommandError when it is refused. */
export async function inStore<T>(flags: StoreFlags, report: (problem: string) => void, steps: Steps<T>): Promise<T> {
  const store = await openPoolStore(flags, report)
  try {
    return await carryOut(steps, store)
  } catch (cause) {
    throw asCommandError(cause)
  } finally {
    store.close()
  }
}

function asCommandError(cause: unknown): unknown {
  if (cause instanceof StoreError) return new CommandError(Exit.environment, cause.message, { cause })
  if (!(cause instanceof PoolError)) return cause
  const status = { invalid: Exit.usage, conflict: Exit.no, exhausted: Exit.no, damaged: Exit.environment }[cause.kind]
  return new CommandError(status, cause.message, { cause })
}
