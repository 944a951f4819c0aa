/** How a plugin says no to the container runtime: CNI specification 1.1, section "Error". */

/** The specification's codes. 8 is not in it: Go's skel uses it, and so do we, to be recognised. */
export const CniCode = {
  incompatibleVersion: 1,
  /** The message must hold the key and the value. */
  unsupportedField: 2,
  /** The container is not known or gone: the runtime need not call DEL. */
  unknownContainer: 3,
  /** The message must name the variables. */
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidConfig: 7,
  /** CNI_NETNS is the plugin's own namespace. */
  ownNamespace: 8,
  tryAgainLater: 11,
  /** STATUS: ADD cannot be served. */
  notAvailable: 50,
  /** STATUS: nor do existing containers have full connectivity. */
  limitedConnectivity: 51,
  /** The first of our own: what the specification has no code for. */
  failed: 100,
  /** The kernel's state is not what ADD promised. CHECK. */
  notAsPromised: 101,
  /** Somebody else's address, link or reservation is in the way. */
  conflict: 102,
  /** No address is left. */
  exhausted: 103,
  /** A delegated plugin failed without saying why. */
  delegateFailed: 104,
  /** What nobody foresaw: a defect of ours. Go's skel answers the same for every error. */
  internal: 999,
} as const

/** A failure the container runtime is told about: skel.ts prints it as the CNI error object. */
export class CniError extends Error {
  override name = 'CniError'
  readonly code: number
  readonly details: string | undefined

  constructor(code: number, message: string, options?: ErrorOptions & { readonly details?: string }) {
    super(message, options)
    this.code = code
    this.details = options?.details
  }
}

export const invalid = (message: string, details?: string) =>
  new CniError(CniCode.invalidConfig, message, details === undefined ? {} : { details })
