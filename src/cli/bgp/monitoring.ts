/** Who watches a speaker: stations of BMP, and files of MRT. */
import { BmpExporter, type BmpOptions } from '../../bgp/bmp/exporter.ts'
import { dumpTables } from '../../bgp/mrt/dump.ts'
import { MrtLog } from '../../bgp/mrt/log.ts'
import type { Speaker } from '../../bgp/speaker.ts'
import type { MonitoringSettings } from '../../bgp/speaker-settings.ts'
import { type MrtLogFile, openMrtLog, writeMrtFile } from './mrt-files.ts'

export interface MonitoringOptions extends Pick<BmpOptions, 'transport' | 'clock' | 'random' | 'description' | 'name'> {
  readonly settings: MonitoringSettings
  readonly speaker: Speaker
  readonly log: (text: string) => void
}

export class Monitoring {
  readonly #stations: readonly BmpExporter[]
  readonly #file: MrtLogFile | undefined
  readonly #unobserve: () => void

  constructor(options: MonitoringOptions) {
    const { settings, speaker, clock, log } = options
    this.#stations = settings.bmp.map((station) => new BmpExporter({ ...options, settings: station }))
    const file = settings.mrtLog === undefined ? undefined : openMrtLog(settings.mrtLog, log)
    this.#file = file
    this.#unobserve = file ? speaker.observers.add(new MrtLog(clock, (record) => file.write(record))) : () => {}
  }

  get stations(): readonly BmpExporter['status'][] {
    return this.#stations.map(({ status }) => status)
  }

  /** To be called behind the speaker's end, so that it is told, too. */
  async close(text = ''): Promise<void> {
    for (const station of this.#stations) station.close(text)
    this.#unobserve()
    await this.#file?.close()
  }
}

/** All routes that peers have announced, and our own, as an MRT file. Answers its octets. */
export function dump(speaker: Speaker, path: string, time: number): Promise<number> {
  const { routerId, as, name } = speaker.settings
  const since = (address: string) => speaker.neighbour(address)?.establishedAt
  return writeMrtFile(path, dumpTables({ ribs: speaker.ribs, routerId, as, view: name ?? '', time, since }))
}
