/** What differs from one version of Linux to the next, as it was read off a running one. */

export interface Profile {
  /** `linux-6.18`. */
  readonly name: string
  /** uname -r of the kernel it was read off. */
  readonly release: string
  /** Every file below /proc/sys/net of a new network namespace; of devices only `all`, `default` and `lo`. Key: path below /proc/sys. */
  readonly values: Readonly<Record<string, string>>
}
