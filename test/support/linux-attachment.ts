/** Containers of the machine's own kernel, in the network namespace of the test file. */
import { host } from '../../src/linux/host.ts'
import { linux } from '../../src/linux/linux.ts'
import { attachments } from './attachment.ts'

export const { addContainer, attach } = attachments({ kernel: linux, host })
