/**
 * The system calls that overlab makes, as one neutral interface: `#sys`.
 *
 * Two implementations: sys.node.ts (koffi, under Node) and sys.native.ts (the C file in a plugin executable). Every call
 * answers as the kernel does: a result of 0 or more, or the negated errno. Buffers are the caller's; a length that a call
 * takes never reaches past the end of its buffer (RangeError). A path or name with a NUL in it is a RangeError too: the
 * kernel would take it for a shorter one. Both pass test/linux/sys-claims.ts.
 */
export interface Sys {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array): number
  connect(fd: number, address: Uint8Array): number
  /** Answers the address's own length, which may be more than fitted. */
  getsockname(fd: number, address: Uint8Array): number
  /** Sends the first `length` bytes. */
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number
  sendto(fd: number, bytes: Uint8Array, length: number, flags: number, address: Uint8Array): number
  recv(fd: number, bytes: Uint8Array, flags: number): number
  /** Also fills in the sender's address. */
  recvfrom(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array): number
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number
  setns(fd: number, type: number): number
  unshare(flags: number): number
  /** A number is passed as it is (TUNSETPERSIST takes one), bytes by their address. */
  ioctl(fd: number, request: number, argument: Uint8Array | number): number
  /** `fds` are struct pollfd, 8 bytes each. Milliseconds; -1 waits for ever. */
  poll(fds: Uint8Array, timeout: number): number
  open(path: string, flags: number, mode: number): number
  close(fd: number): number
  read(fd: number, bytes: Uint8Array): number
  write(fd: number, bytes: Uint8Array, length: number): number
  fsync(fd: number): number
  flock(fd: number, operation: number): number
  ftruncate(fd: number, length: number): number
  fchmod(fd: number, mode: number): number
  mkdir(path: string, mode: number): number
  rmdir(path: string): number
  unlink(path: string): number
  rename(from: string, to: string): number
  /** linkat(2). With AT_SYMLINK_FOLLOW (0x400) in `flags`, `/proc/self/fd/N` names a file that O_TMPFILE made. */
  link(from: string, to: string, flags: number): number
  /** Length of the link's target, written to `bytes`. */
  readlink(path: string, bytes: Uint8Array): number
  /** `bytes` takes struct statx, 256 bytes; follows symbolic links unless `flags` has AT_SYMLINK_NOFOLLOW (0x100). */
  statx(path: string, flags: number, bytes: Uint8Array): number
  getdents64(fd: number, bytes: Uint8Array): number
  mount(source: string, target: string, type: string, flags: number, data: string): number
  umount2(target: string, flags: number): number
  getrandom(bytes: Uint8Array): number
  /** CLOCK_REALTIME (0) or CLOCK_MONOTONIC (1), nanoseconds. */
  clock(id: number): bigint
  /** Sleeps; the caller's thread does nothing else. */
  sleep(milliseconds: number): void
  getpid(): number
  /** Text as UTF-8. Lone surrogates become U+FFFD. */
  encode(text: string): Uint8Array
  /** UTF-8 as text; bad bytes become U+FFFD. */
  decode(bytes: Uint8Array): string
  environment(): Readonly<Record<string, string>>
  /** The running executable's own file, as the kernel knows it: /proc/self/exe, or the script that Node runs. */
  executable(): string
  /**
   * Runs a program to its end: no shell, no search in PATH, `argv` from the name that it is called by, `stdin` written to
   * it, its stdout collected, its stderr collected and then passed on to ours. The status is the exit code, or 128 + the
   * signal; when it cannot be started, the negated errno.
   */
  run(
    path: string,
    argv: readonly string[],
    environment: Readonly<Record<string, string>>,
    stdin: Uint8Array,
  ): {
    readonly status: number
    readonly stdout: Uint8Array
    readonly stderr: Uint8Array
  }
  exit(status: number): never
}
