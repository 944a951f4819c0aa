/** What of a program's output two kernels, or two moments, may differ in. */
import type { Outcome } from '../../src/command/command.ts'

/** Status and texts, without what is a matter of time. `peer` is the second namespace's name. */
export function comparable({ status, stdout, stderr }: { [K in keyof Outcome]: Outcome[K] | null }, peer: string) {
  const plain = (text: string | null) =>
    (text ?? '')
      .replaceAll(peer, 'PEER')
      .replace(/((?:gc|hello|hold|forward_delay)_timer"?:?)\s*[\d.]+/g, '$1 T')
      .replace(/time=[\d.]+ ms/g, 'time=T ms')
      .replace(/time \d+ms/g, 'time T')
      .replace(/mdev = .*/g, 'mdev = T')
      .split('\n')
  return { status, stdout: plain(stdout), stderr: plain(stderr) }
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
