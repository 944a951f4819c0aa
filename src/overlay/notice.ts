/** What whoever runs a node should read: the daemon logs it, and counts it by its subject. */

export interface Notice {
  readonly level: 'info' | 'warning' | 'error'
  /**
   *   config     the network's configuration
   *   lease      our own lease
   *   peer       somebody else's lease, which is not used
   *   conflict   two nodes claim the same
   *   store      the store is away, or back, or refuses us
   */
  readonly subject: 'config' | 'lease' | 'peer' | 'conflict' | 'store'
  /** One line. */
  readonly message: string
  /** In the store, where it is about one. */
  readonly key?: string
}
