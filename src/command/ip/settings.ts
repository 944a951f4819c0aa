/** What stands before the object on `ip`'s and `bridge`'s command line, and the kernel that it is asked of. */
import type { Family } from '../../address/ip.ts'
import type { KernelError } from '../../kernel/errors.ts'
import type { Link } from '../../kernel/link.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import { errnoText } from '../errno-text.ts'
import { Exit, NotModelled, type Streams } from '../exit.ts'
import { Printer } from '../printer.ts'

export interface Settings {
  readonly program: string
  readonly kernel: LiveKernel
  readonly streams: Streams
  /** `-4`, `-6`; undefined where nothing was said. */
  readonly family: Family | undefined
  readonly json: boolean
  readonly pretty: boolean
  readonly oneLine: boolean
  readonly brief: boolean
  /** How often `-d` was said. */
  readonly details: number
  /** How often `-s` was said. */
  readonly statistics: number
}

/** Prints one listing. */
export function print(settings: Settings, write: (printer: Printer) => void): void {
  const printer = new Printer(settings)
  write(printer)
  settings.streams.stdout += printer.finish()
}

export function notModelled(settings: Pick<Settings, 'program'>, form: string): NotModelled {
  return new NotModelled(settings.program, form)
}

/** A change that the kernel refused: rtnl_talk() in iproute2's lib/libnetlink.c. */
export function refusedByKernel(error: KernelError): Exit {
  const { errno, explanation } = error
  if (explanation === undefined) return new Exit(2, `RTNETLINK answers: ${errnoText(errno)}`)
  return new Exit(2, `Error: ${explanation}${explanation.endsWith('.') ? '' : '.'}`)
}

/** As most of ip's objects say it. */
export function requireDevice({ kernel }: Settings, name: string): Link {
  const link = kernel.links.get(name)
  if (!link) throw new Exit(1, `Cannot find device "${name}"`)
  return link
}

/** Makes the call and, should it throw, closes the handle as well. */
export function within<T>(
  settings: Settings,
  namespace: string,
  call: (kernel: LiveKernel) => T,
  missing: () => Exit,
): T {
  const path = namespace.includes('/') ? namespace : `/run/netns/${namespace}`
  const kernel = settings.kernel.enter(path)
  if (!kernel) throw missing()
  try {
    return call(kernel)
  } finally {
    kernel.close()
  }
}
