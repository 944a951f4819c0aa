/** The versions of the CNI specification, and which of them knows which command. */
import { CniCode, CniError } from './errors.ts'

/** All that have been published, oldest first. */
export const cniVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

export type CniVersion = (typeof cniVersions)[number]

export const newestVersion: CniVersion = '1.1.0'

/** What a configuration speaks that does not say: there was no `cniVersion` before 0.2.0. */
export const unnamedVersion: CniVersion = '0.1.0'

/** Major, minor and patch; those left out are 0. Undefined when the text is no version. */
export function readVersion(text: string): readonly [number, number, number] | undefined {
  if (!/^[0-9]+(?:\.[0-9]+){0,2}$/.test(text)) return undefined
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number)
  return [major, minor, patch]
}

/** Negative, zero or positive, as the versions sort. CniError (decoding failure) when either is none. */
export function compareVersions(a: string, b: string): number {
  const left = requireVersion(a)
  const right = requireVersion(b)
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2]
}

function requireVersion(text: string): readonly [number, number, number] {
  const version = readVersion(text)
  if (version) return version
  throw new CniError(
    CniCode.decodingFailure,
    `Cannot read "cniVersion" "${text}": give a version such as "${newestVersion}"`,
  )
}
