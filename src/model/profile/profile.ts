/** What differs from one version of Linux to the next, as it was read off a running one. */

export interface Profile {
  /** `linux-6.18`. */
  readonly name: string
  /** uname -r of the kernel it was read off. */
  readonly release: string
  /** Every file below /proc/sys/net of a new network namespace; of devices only `all`, `default` and `lo`. Key: path below /proc/sys. */
  readonly values: Readonly<Record<string, string>>
  /**
   * The lowest and the highest number that a setting takes, where that is not what an `int` can hold. A device's settings
   * have the limits of `default`.
   */
  readonly limits: Readonly<Record<string, readonly [number, number]>>
  /** Settings that nobody may write. */
  readonly readOnly: readonly string[]
  /** Settings that do something when they are written, and cannot be read. */
  readonly writeOnly: readonly string[]
}
