/** What every form of masquerade is told. */
import type { Attachment } from '../../cni/plugin.ts'

/** Whose packets are masqueraded. */
export interface Masqueraded extends Attachment {
  readonly network: string
  /** The container's addresses, each with the length of its subnet. */
  readonly addresses: readonly string[]
}
