/** What systemd is told of a daemon: sd_notify(3), sd_watchdog_enabled(3). Without a systemd nothing is. */
import { sendDatagram } from '../../linux/datagram-socket.ts'

export interface ServiceManager {
  ready(): void
  status(text: string): void
  stopping(): void
}

type Environment = Readonly<Record<string, string | undefined>>

const MICROSECONDS = 1000

/** The watchdog is told by a timer: a process whose event loop hangs is ended by systemd. */
export function serviceManager(environment: Environment): ServiceManager {
  const path = environment.NOTIFY_SOCKET
  let last = ''
  const tell = (text: string) => {
    if (!path || text === last) return
    last = text
    try {
      sendDatagram(path, text)
    } catch {
      // Nobody listens any more, or the path is wrong: then nobody waits for it either.
    }
  }
  const interval = watchdogInterval(environment)
  if (path && interval !== undefined) {
    setInterval(() => {
      last = ''
      tell('WATCHDOG=1')
    }, interval).unref()
  }
  return {
    ready: () => tell('READY=1'),
    status: (text) => tell(`STATUS=${text.replaceAll('\n', ' ')}`),
    stopping: () => tell('STOPPING=1'),
  }
}

/** Milliseconds: half of what systemd waits for; undefined when it does not ask for it. */
function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: Environment): number | undefined {
  const time = Number(WATCHDOG_USEC)
  if (!(time > 0) || (WATCHDOG_PID && Number(WATCHDOG_PID) !== process.pid)) return undefined
  return Math.max(1, Math.floor(time / MICROSECONDS / 2))
}
