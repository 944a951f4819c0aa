/** What of a program's output two kernels, or two moments, may differ in. */
import type { Outcome } from '../../src/command/command.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'

/** Status and texts, without what is a matter of time. `peer` is the second namespace's name. */
export function comparable({ status, stdout, stderr }: { [K in keyof Outcome]: Outcome[K] | null }, peer: string) {
  const plain = (text: string | null) =>
    (text ?? '')
      .replaceAll(peer, 'PEER')
      .replace(/ovi-(?:real|ours)[0-9]+/g, 'HERE')
      .replace(/((?:gc|hello|hold|forward_delay)_timer"?:?)\s*[\d.]+/g, '$1 T')
      .replace(/time=[\d.]+ ms/g, 'time=T ms')
      .replace(/(expires"?:?) ?\d+/g, '$1 T')
      .replace(/time \d+ms/g, 'time T')
      .replace(/mdev = .*/g, 'mdev = T')
      .split('\n')
  return { status, stdout: plain(stdout), stderr: plain(stderr) }
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** The kernel notices some of what was changed a moment later, carriers and addresses of IPv6 among it. Milliseconds. */
const LONGEST_MOMENT = 3000

/** What they showed when waiting was in vain; lines that change nothing of it are not waited for again. */
let inVain: string | undefined

/** Waits until both show the same of it, or that long: what then differs is for the next line to show. */
export async function settled(...kernels: readonly Kernel[]): Promise<void> {
  const start = performance.now()
  for (;;) {
    const views = kernels.map(view)
    if (new Set(views).size === 1 || views.join() === inVain) return
    if (performance.now() > start + LONGEST_MOMENT) {
      inVain = views.join()
      return
    }
    await sleep(5)
  }
}

function view({ links, addresses, fdb }: Kernel): string {
  return JSON.stringify([
    links.list().map(({ name, flags, operState }) => [name, flags, operState]),
    addresses.list().map(({ link, prefix, flags }) => [link, prefix, flags]),
    // What a bridge learns of a new device's own first packets comes when they come.
    fdb.list().filter(({ learnt }) => learnt).length,
  ])
}
