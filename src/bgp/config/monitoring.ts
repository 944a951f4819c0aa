/** Who watches a speaker, as a configuration has it: stations of BMP (RFC 7854), and a running log in MRT (RFC 6396). */
import type { BmpSettings } from '../bmp/exporter.ts'
import type { MonitoringSettings } from '../speaker-settings.ts'
import { choice, defaulted, listOf, number, type Of, object, optional, required, text } from './shape.ts'
import { address, port } from './values.ts'

const MEGABYTE = 1 << 20
const DAY = 86_400

export const bmp = listOf(
  object('{ address: "10.0.0.9", port: 11019 }', {
    address: required(address, 'Of the station'),
    port: required(port, 'TCP port of the station'),
    localAddress: optional(address, 'Source of our connection; left out: as the routing table says'),
    tables: defaulted(
      listOf(choice('pre-policy', 'post-policy', 'loc-rib'), 'a list of tables', { min: 1 }),
      ['pre-policy'],
      'What neighbours announce, before and behind our filters, and the best routes (RFC 9069)',
    ),
    statistics: defaulted(number(0, DAY), 60, 'Seconds between reports; 0: none'),
    buffer: defaulted(
      number(1, 4096),
      32,
      'Megabytes that may wait for it; one that is behind by more is cut off, and told all anew',
    ),
  }),
  'a list of stations',
)

export const mrt = object('{ log: "/var/log/overlab/bgp.mrt" }', {
  log: optional(text(), 'File that messages and states are appended to'),
})

/** undefined: nobody watches. */
export function monitoringSettings(stations: Of<typeof bmp>, { log }: Of<typeof mrt>): MonitoringSettings | undefined {
  if (stations.length === 0 && log === undefined) return undefined
  const bmpOf = (given: Of<typeof bmp>[number]): BmpSettings => ({ ...given, buffer: given.buffer * MEGABYTE })
  return { bmp: stations.map(bmpOf), mrtLog: log }
}
