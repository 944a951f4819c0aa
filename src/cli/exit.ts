/**
 * How the command line ends: the exit statuses, and which of them an error means. 1 is an answer, 2 and more are trouble.
 */
import { CniCode, CniError } from '../cni/errors.ts'
import { KernelError } from '../kernel/errors.ts'
import { DaemonError } from '../lab/daemon-error.ts'
import { UnsupportedError } from '../lab/unsupported-error.ts'

export const Exit = {
  yes: 0,
  /** A true "no": unreachable, not as promised, not ready. */
  no: 1,
  /** Wrong use, or a file that is not valid. */
  usage: 2,
  /** Cannot say: something that is not supported. */
  unsupported: 3,
  /** The environment lacks something: permission, a kernel module, a program. */
  environment: 4,
  /** A defect of ours: EX_SOFTWARE, sysexits.h. */
  internal: 70,
  /** Interrupted, after cleaning up: 128 + SIGINT. */
  interrupted: 130,
} as const

export type ExitStatus = (typeof Exit)[keyof typeof Exit]

/** An answer that ends the command, in words for the person who gave it. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** Codes of CNI that say the configuration or its arguments are wrong. */
const WRONG_USE: readonly number[] = [
  CniCode.incompatibleVersion,
  CniCode.unsupportedField,
  CniCode.invalidEnvironment,
  CniCode.decodingFailure,
  CniCode.invalidConfig,
]

export function statusOf(error: unknown): number {
  if (error instanceof CommandError) return error.status
  if (error instanceof UnsupportedError) return Exit.unsupported
  if (error instanceof DaemonError) return Exit.no
  if (error instanceof KernelError) return Exit.environment
  if (error instanceof CniError) {
    if (WRONG_USE.includes(error.code)) return Exit.usage
    return error.code === CniCode.ioFailure ? Exit.environment : Exit.no
  }
  return Exit.internal
}

/** What stderr says of it. */
export function explain(
  error: unknown,
  { version, argv }: { readonly version: string; readonly argv: readonly string[] },
) {
  if (error instanceof KernelError && (error.errno === 'EPERM' || error.errno === 'EACCES')) {
    return `${error.message}\nThis needs root, or at least CAP_NET_ADMIN and CAP_SYS_ADMIN.`
  }
  if (error instanceof CniError) return error.details ? `${error.message}\n${error.details}` : error.message
  if (error instanceof CommandError || error instanceof KernelError) return error.message
  if (error instanceof UnsupportedError || error instanceof DaemonError) return error.message
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const about = `overlab ${version}, Node ${process.version}, ${process.platform}, arguments ${JSON.stringify(withoutPasswords(argv))}`
  return `This is a defect of overlab. Please report it with all of these lines.\n${about}\n${trace}`
}

/** `--etcd-password=…`, or with its value behind it. */
function withoutPasswords(argv: readonly string[]): string[] {
  return argv.map((word, i) => {
    if (/^--?[\w-]*password$/.test(argv[i - 1] ?? '')) return '…'
    return word.replace(/^(--?[\w-]*password=).*$/s, '$1…')
  })
}

/** RangeError: what a person has written cannot be built or found. */
export async function asUsage<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError(Exit.usage, error.message, { cause: error })
    throw error
  }
}
