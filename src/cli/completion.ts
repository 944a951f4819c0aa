/** Completion for shells. It knows every command and option from their declarations, and asks for nothing else. */
import tab from '@bomb.sh/tab/commander'
import type { Command } from 'commander'

/** Adds the command `complete`. */
export function completeWith(program: Command): void {
  tab(program)
}
