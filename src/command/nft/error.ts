/** How nft gives up: `Error: …`, exit status 1. Where in the line it was is not told. */

/** What was typed is wrong, or the kernel refused it. */
export class NftError extends Error {
  override readonly name = 'NftError'
}

/** nft can do this, this room cannot: the form's own words. */
export class NotModelledError extends Error {
  override readonly name = 'NotModelledError'
}

export function syntaxError(found: string): NftError {
  return new NftError(`syntax error, unexpected ${found}`)
}
