/** Before the first root test: a kernel test that is skipped for want of root would look as if it had passed. */
import { geteuid } from 'node:process'

export function setup(): void {
  if (geteuid?.() !== 0) {
    throw new Error('Cannot test against the kernel without root: run as root, or only "npm run ok"')
  }
}
