/** Whatever went wrong, as the error that the container runtime is told. */
import { JsonError } from '../json/errors.ts'
import { KernelError } from '../kernel/errors.ts'
import { CniCode, CniError } from './errors.ts'

interface Row {
  readonly errnos: readonly string[]
  readonly code: number
  /** Follows the kernel's own words. */
  readonly advice: string
}

/** What a refusal of the kernel means to a runtime; errno(3). What is not listed is CniCode.failed. */
const refusals: readonly Row[] = [
  {
    errnos: ['EPERM', 'EACCES'],
    code: CniCode.failed,
    advice: 'run the plugin as root, in the network namespace of the node',
  },
  {
    errnos: ['EEXIST', 'EADDRINUSE', 'ENOTUNIQ'],
    code: CniCode.conflict,
    advice: 'something of that name or address is there already; remove it or choose another',
  },
  {
    errnos: ['EINVAL', 'ERANGE', 'EMSGSIZE', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH'],
    code: CniCode.invalidConfig,
    advice: 'the kernel does not take a value; correct the configuration',
  },
  {
    errnos: ['EOPNOTSUPP', 'EAFNOSUPPORT', 'EPROTONOSUPPORT', 'EPFNOSUPPORT', 'ENOPROTOOPT', 'ENOSYS'],
    code: CniCode.failed,
    advice: 'this kernel lacks the feature; load its module or leave the option out',
  },
  {
    errnos: ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG'],
    code: CniCode.ioFailure,
    advice: 'make room on the disk, or make it writable',
  },
  {
    errnos: ['EAGAIN', 'EBUSY', 'EINTR', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'ETXTBSY'],
    code: CniCode.tryAgainLater,
    advice: 'the node is busy or short of resources; try again later',
  },
]

export function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error
  if (error instanceof JsonError) {
    const code = error.kind === 'decoding' ? CniCode.decodingFailure : CniCode.invalidConfig
    return new CniError(code, error.message, { cause: error })
  }
  if (error instanceof KernelError) {
    const row = refusals.find(({ errnos }) => errnos.includes(error.errno))
    const advice = row ? `; ${row.advice}` : ''
    return new CniError(row?.code ?? CniCode.failed, error.message + advice, { cause: error })
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  const options = { cause: error, ...(stack && { details: stack }) }
  return new CniError(
    CniCode.internal,
    `Cannot finish, by a defect of overlab that you may report: ${message}`,
    options,
  )
}
