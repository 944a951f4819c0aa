/** How a kernel says no. */

/** A call the kernel refused. */
export class KernelError extends Error {
  override name = 'KernelError'
  /** Linux's name for the reason, such as `EEXIST`: errno(3). A number it has no name for is written `E<number>`. */
  readonly errno: string
  /** The kernel's own words, where it gave any: NLMSGERR_ATTR_MSG of an extended acknowledgement. */
  readonly explanation: string | undefined

  /** `call` completes "Cannot …": `add link "eth0"`. */
  constructor(errno: string, call: string, explanation?: string) {
    super(`Cannot ${call}: ${explanation ? `${explanation} (${errno})` : errno}`)
    this.errno = errno
    this.explanation = explanation
  }
}

export function isErrno(error: unknown, ...errnos: string[]): boolean {
  return error instanceof KernelError && errnos.includes(error.errno)
}

/** Makes the call; that the kernel refuses it with this `errno` is as good as done. */
export function ignoring(errno: string | readonly string[], call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (!isErrno(error, ...(typeof errno === 'string' ? [errno] : errno))) throw error
  }
}
