/**
 * How long an address may be used, and how long it is preferred: valid_lft and prefered_lft. Sources: check_lifetime in
 * net/ipv4/devinet.c, addrconf_verify_rtnl in net/ipv6/addrconf.c; RFC 4862 §5.5.4. Linux looks whenever a second begins.
 */
import { type Clock, type Microseconds, SECOND, type Timer } from './clock.ts'

/** Seconds from `since` on; Infinity without end. */
export interface Lifetime {
  readonly valid: number
  readonly preferred: number
  readonly since: Microseconds
}

/** Of an address that has a lifetime. */
export interface Mortal {
  lifetime?: Lifetime | undefined
  /** It is not preferred any more: IFA_F_DEPRECATED. */
  deprecated?: boolean
  expiry?: Timer | undefined
}

export interface Ends {
  deprecate(): void
  expire(): void
}

/** EINVAL otherwise. */
export function areLifetimes(valid: number, preferred: number): boolean {
  return valid > 0 && preferred <= valid
}

/** What is left of one of the two, as it is shown. */
export function secondsLeft(seconds: number, { since }: Lifetime, now: Microseconds): number {
  return Math.max(0, seconds - Math.floor((now - since) / SECOND))
}

/** Gives the address a lifetime, from now on, in place of the one that it had. */
export function setLifetime(
  clock: Clock,
  address: Mortal,
  { valid, preferred }: { readonly valid: number; readonly preferred: number },
  ends: Ends,
): void {
  clock.cancel(address.expiry)
  const isEndless = valid === Number.POSITIVE_INFINITY && preferred === Number.POSITIVE_INFINITY
  address.lifetime = isEndless ? undefined : { valid, preferred, since: clock.now }
  address.deprecated = preferred === 0
  if (address.lifetime) watch(clock, address, address.lifetime, ends)
}

function watch(clock: Clock, address: Mortal, { valid, preferred, since }: Lifetime, ends: Ends): void {
  const isPreferred = address.deprecated !== true
  const seconds = isPreferred ? preferred : valid
  if (seconds === Number.POSITIVE_INFINITY) return
  address.expiry = clock.after(since + seconds * SECOND - clock.now, () => {
    if (!isPreferred || valid <= preferred) {
      ends.expire()
      return
    }
    address.deprecated = true
    ends.deprecate()
    watch(clock, address, { valid, preferred, since }, ends)
  })
}
