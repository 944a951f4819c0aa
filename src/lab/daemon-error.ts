/** A daemon of a lab is not as it should be: why, in its own words. */
export class DaemonError extends Error {
  override name = 'DaemonError'
}
