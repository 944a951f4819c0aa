/** Linux's names for its error numbers: asm-generic/errno-base.h, asm-generic/errno.h. */
import { KernelError } from '../kernel/errors.ts'

/** In the order of their numbers from 1 on; the two numbers that are not used have an empty name. */
const NAMES = (
  'EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST ' +
  'EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE ' +
  'EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP  ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ' +
  'ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT  EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ' +
  'ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ' +
  'ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT ' +
  'EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ' +
  'ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ' +
  'ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ' +
  'ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL ' +
  'EHWPOISON'
).split(' ')

/** The numbers that our code asks for. */
export const ENOENT = 2
export const EINTR = 4
export const EAGAIN = 11
export const EBUSY = 16
export const EEXIST = 17
export const ENOTDIR = 20
export const EISDIR = 21
export const EINVAL = 22
export const EMSGSIZE = 90
export const EOPNOTSUPP = 95
export const EAFNOSUPPORT = 97
export const ENOBUFS = 105
export const EINPROGRESS = 115

/** Numbers of the kernel's own that reach user space all the same: linux/errno.h. */
const KERNEL_NAMES: Readonly<Record<number, string>> = { 524: 'ENOTSUPP' }

/** `EEXIST` for 17; `E<number>` for a number without a name. */
export function errnoName(errno: number): string {
  return NAMES[errno - 1] || KERNEL_NAMES[errno] || `E${errno}`
}

/** Passes on what a call of Sys answered; KernelError when that is an errno. `call` completes "Cannot …". */
export function succeed(result: number, call: string): number {
  if (result < 0) throw new KernelError(errnoName(-result), call)
  return result
}
