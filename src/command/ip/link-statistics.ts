/** A link's counters as `ip -s link` prints them: two tables whose columns are as wide as their numbers. */
import type { LinkStatistics } from '../../kernel/link.ts'
import type { Printer } from '../printer.ts'

/** Least widths: those of the headings that a column may have. */
const WIDTHS = ['*X errors:', 'packets', 'errors', 'dropped', 'heartbt', 'overrun', 'compressed'].map((it) => it.length)

export function printStatistics(printer: Printer, counters: LinkStatistics): void {
  const rx = [
    counters.rxBytes,
    counters.rxPackets,
    counters.rxErrors,
    counters.rxDropped,
    counters.rxMissed,
    counters.multicast,
  ]
  const tx = [
    counters.txBytes,
    counters.txPackets,
    counters.txErrors,
    counters.txDropped,
    counters.txCarrierErrors,
    counters.collisions,
  ]
  if (printer.json) {
    printJson(printer, counters)
    return
  }
  const widths = WIDTHS.map((width, i) => Math.max(width, `${rx[i] ?? ''}`.length, `${tx[i] ?? ''}`.length))
  printTable(printer, 'RX', ['bytes', 'packets', 'errors', 'dropped', 'missed', 'mcast'], rx, widths)
  printer.newLine()
  printTable(printer, 'TX', ['bytes', 'packets', 'errors', 'dropped', 'carrier', 'collsns'], tx, widths)
}

/** The last column, of compressed packets, is empty but there. */
function printTable(
  printer: Printer,
  title: string,
  headings: readonly string[],
  counters: readonly number[],
  widths: readonly number[],
): void {
  const cells = [...headings, ''].map((heading, i) =>
    heading.padStart(i === 0 ? widths[i]! - title.length - 2 : widths[i]!),
  )
  printer.text(`    ${title}: ${cells.join(' ')}`)
  printer.newLine()
  printer.text(`    ${counters.map((counter, i) => `${`${counter}`.padStart(widths[i]!)} `).join('')}`)
}

function printJson(printer: Printer, counters: LinkStatistics): void {
  const members = (key: string, values: Readonly<Record<string, number>>) =>
    printer.object(() => {
      for (const [name, value] of Object.entries(values)) printer.member(name, value)
    }, key)
  printer.object(() => {
    members('rx', {
      bytes: counters.rxBytes,
      packets: counters.rxPackets,
      errors: counters.rxErrors,
      dropped: counters.rxDropped,
      over_errors: counters.rxMissed,
      multicast: counters.multicast,
    })
    members('tx', {
      bytes: counters.txBytes,
      packets: counters.txPackets,
      errors: counters.txErrors,
      dropped: counters.txDropped,
      carrier_errors: counters.txCarrierErrors,
      collisions: counters.collisions,
    })
  }, 'stats64')
}
