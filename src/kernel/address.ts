/** Addresses: `ip address`. Source: rtnetlink(7), linux/if_addr.h. */

export type Scope = 'global' | 'site' | 'link' | 'host' | 'nowhere' | number

export interface Address {
  /** Address with the length of its prefix, host bits kept: `10.1.2.3/24`. */
  readonly prefix: string
  /** Name of the link that has it. */
  readonly link: string
  readonly scope: Scope
  /** IFA_ADDRESS where it differs from the local address: the other end of a point-to-point link. */
  readonly peer: string | undefined
  readonly broadcast: string | undefined
  readonly label: string | undefined
  /** IFA_F_PERMANENT: has no lifetime. */
  readonly permanent: boolean
  readonly secondary: boolean
  /** Duplicate address detection is not finished: RFC 4862 §5.4. */
  readonly tentative: boolean
  readonly dadFailed: boolean
  /** IFA_F_*, linux/if_addr.h, all of them. */
  readonly flags: number
  /** Seconds left; Infinity without end. */
  readonly validLifetime: number
  readonly preferredLifetime: number
  /** IFA_PROTO, 0 where the kernel has none: who set it (IFAPROT_KERNEL_LO 1, …_RA 2, …_LL 3). */
  readonly protocol: number
}

export interface NewAddress {
  readonly prefix: string
  readonly link: string
  readonly scope?: Scope
  readonly peer?: string
  /** Left out, IPv4 gets the subnet's own up to /30; `null` means none, as `ip address add` has it. */
  readonly broadcast?: string | null
  readonly label?: string
  /** IFA_F_NODAD: usable at once. IPv6 only. */
  readonly noDad?: boolean
  /** IFA_F_NOPREFIXROUTE: no connected route. */
  readonly noPrefixRoute?: boolean
  /** Seconds; without end where left out. */
  readonly validLifetime?: number
  readonly preferredLifetime?: number
}

export interface Addresses {
  /** All of the namespace, or of one link. KernelError ENODEV when there is no such link. */
  list(link?: string): Address[]
  /** KernelError EEXIST when the link has it already. */
  add(address: NewAddress): void
  /** As add, but one that is there already is made to look so. */
  replace(address: NewAddress): void
  /** KernelError EADDRNOTAVAIL when the link has none such. */
  delete(address: { readonly link: string; readonly prefix: string }): void
}
