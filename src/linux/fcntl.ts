/** Flags of open(2) and flock(2): asm-generic/fcntl.h. O_CLOEXEC is wanted always: a plugin executes others. */

export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_APPEND = 0o2000
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_TRUNC = 0o1000
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
/** With O_DIRECTORY in it, as x86 numbers that. Elsewhere it is EINVAL, and we do without. */
export const O_TMPFILE = 0o20200000
export const LOCK_EX = 2
export const LOCK_NB = 4
