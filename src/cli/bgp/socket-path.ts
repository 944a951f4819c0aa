/** Where a speaker is asked, unless something else is said. */
export const DEFAULT_SOCKET = '/run/overlab/bgp.sock'
