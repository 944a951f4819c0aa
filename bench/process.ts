/** What /proc tells of a process. */
import { readFileSync } from 'node:fs'

/** sysconf(_SC_CLK_TCK). */
const TICKS = 100

/** MB that are resident. */
export function memoryOf(id: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))![1]) / 1024
}

/** Seconds of CPU that it has taken. */
export function cpuOf(id: number): number {
  // Behind the name, which may have anything in it: proc(5).
  const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
