/** How a change is refused while a commit is tried. The commit says which operation it was. */
import { KernelError } from '../../../kernel/errors.ts'

export function refusal(errno: string, explanation?: string): KernelError {
  return new KernelError(errno, 'commit', explanation)
}
