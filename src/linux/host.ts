/** The real host, as cni/host.ts describes it: this process's environment, stdin, stdout, files, clocks and children. */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { errnoName, succeed } from './errno.ts'
import { files, readAll, writeAll } from './files.ts'
import { openLog } from './log-file.ts'
import { ask } from './unix-socket.ts'

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const POLLIN = 1
const CLOCK_REALTIME = 0
const CLOCK_MONOTONIC = 1
const NANOSECONDS_PER_MILLISECOND = 1_000_000n

let environment: Readonly<Record<string, string>> | undefined

export const host = {
  /** Read when it is first asked for: a plugin's executable is made long before it is run. */
  get environment(): Readonly<Record<string, string>> {
    environment ??= sys.environment()
    return environment
  },
  readStdin: (): Uint8Array => readAll(STDIN, 'pipe', 'read stdin'),
  stdinIsReady(milliseconds: number): boolean {
    // struct pollfd, poll(2): descriptor, events wanted, events seen.
    const descriptors = new Uint8Array(8)
    const view = new DataView(descriptors.buffer)
    view.setInt32(0, STDIN, LITTLE_ENDIAN)
    view.setInt16(4, POLLIN, LITTLE_ENDIAN)
    return sys.poll(descriptors, milliseconds) > 0
  },
  writeStdout: (text: string): void => writeAll(STDOUT, sys.encode(text), 'write to stdout'),
  writeStderr: (text: string): void => writeAll(STDERR, sys.encode(text), 'write to stderr'),
  exit: (status: number): never => sys.exit(status),
  files: { ...files, openLog },
  ask,
  now: (): number => Number(sys.clock(CLOCK_REALTIME) / NANOSECONDS_PER_MILLISECOND),
  monotonic: (): number => Number(sys.clock(CLOCK_MONOTONIC) / NANOSECONDS_PER_MILLISECOND),
  sleep: (milliseconds: number): void => sys.sleep(milliseconds),
  random(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let rest = bytes
    while (rest.length > 0) rest = rest.subarray(succeed(sys.getrandom(rest), 'get random bytes'))
    return bytes
  },
  encode: (text: string): Uint8Array => sys.encode(text),
  decode: (bytes: Uint8Array): string => sys.decode(bytes),
  executable: (): string => sys.executable(),
  run(
    path: string,
    argv: readonly string[],
    options: { readonly environment: Readonly<Record<string, string>>; readonly stdin: Uint8Array },
  ): { readonly status: number; readonly stdout: Uint8Array; readonly stderr: Uint8Array } {
    const result = sys.run(path, argv, options.environment, options.stdin)
    if (result.status < 0) throw new KernelError(errnoName(-result.status), `run "${path}"`)
    return result
  },
}
