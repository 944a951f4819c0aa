/** What a speaker has of this machine: connections, next hops, the kernel's routes, BFD. */
import { KernelFib } from '../../bgp/node/kernel-fib.ts'
import { KernelNode } from '../../bgp/node/kernel-node.ts'
import { SocketTransport } from '../../bgp/socket-transport.ts'
import type { SpeakerOptions } from '../../bgp/speaker.ts'
import { ROUTE_PROTOCOL, type SpeakerSettings } from '../../bgp/speaker-settings.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import { liveLinux } from '../../linux/live.ts'
import type { Clock } from '../../store/clock.ts'
import { BfdThread } from '../bfd-thread.ts'

export interface DataPath extends Pick<SpeakerOptions, 'transport' | 'node' | 'fib' | 'startBfd'> {
  readonly kernel: LiveKernel
  /** Connections that are being closed still say their last words. */
  close(): void
}

/** KernelError. `log` is told what is worth a line. */
export function openDataPath(
  settings: SpeakerSettings,
  clock: Clock,
  log: (level: 'info' | 'warn', subject: string, text: string) => void,
): DataPath {
  const kernel = liveLinux()
  const node = new KernelNode(kernel, clock, settings.kernel?.protocol ?? ROUTE_PROTOCOL)
  const warn = (text: string) => log('warn', 'kernel', text)
  const events = {
    refused: ({ message }: Error) => warn(message),
    contested: (what: string) => warn(`Somebody else keeps changing ${what}`),
    failed: ({ message }: Error) => warn(message),
  }
  const bfd = new BfdThread((text) => log('info', 'bfd', text))
  return {
    kernel,
    transport: new SocketTransport(kernel.sockets, clock),
    node,
    fib: settings.kernel && new KernelFib({ kernel, clock, node, events }),
    startBfd: bfd.start,
    close() {
      bfd.close()
      node.close()
      kernel.close()
    },
  }
}
