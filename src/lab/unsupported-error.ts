/** What a file may say and nothing here builds yet. The message names it. */
export class UnsupportedError extends Error {
  override name = 'UnsupportedError'
}
