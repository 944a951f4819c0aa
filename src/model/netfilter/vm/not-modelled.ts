/** What the machine does not do: the packet ends, by name. */
import { unsupported } from '../../observer.ts'
import type { Operation } from './machine.ts'
import { STOLEN } from './verdict.ts'

export function notModelled(thing: string): Operation {
  return ({ packet }) => {
    unsupported(packet, thing)
    return STOLEN
  }
}
