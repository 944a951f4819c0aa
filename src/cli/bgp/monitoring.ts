/** Who watches a speaker: stations of BMP, and files of MRT. */
import { BmpExporter, type BmpOptions, type BmpSettings } from '../../bgp/bmp/exporter.ts'
import { dumpTables } from '../../bgp/mrt/dump.ts'
import { MrtLog } from '../../bgp/mrt/log.ts'
import type { Speaker } from '../../bgp/speaker.ts'
import { type MrtLogFile, openMrtLog, writeMrtFile } from './mrt-files.ts'

export interface MonitoringSettings {
  readonly bmp: readonly BmpSettings[]
  /** A file that messages and states are written to; undefined: none. */
  readonly mrtLog: string | undefined
}

export interface MonitoringOptions extends Pick<BmpOptions, 'transport' | 'clock' | 'random' | 'description' | 'name'> {
  readonly settings: MonitoringSettings
  readonly speaker: Speaker
  readonly log: (text: string) => void
}

export class Monitoring {
  readonly #options: MonitoringOptions
  readonly #stations: readonly BmpExporter[]
  readonly #file: MrtLogFile | undefined
  readonly #unobserve: () => void

  constructor(options: MonitoringOptions) {
    const { settings, speaker, clock, log } = options
    this.#options = options
    this.#stations = settings.bmp.map((station) => new BmpExporter({ ...options, settings: station }))
    const file = settings.mrtLog === undefined ? undefined : openMrtLog(settings.mrtLog, log)
    this.#file = file
    this.#unobserve = file ? speaker.observers.add(new MrtLog(clock, (record) => file.write(record))) : () => {}
  }

  get stations(): readonly BmpExporter['status'][] {
    return this.#stations.map(({ status }) => status)
  }

  /** All routes that peers have announced, and our own. Answers the octets of the file. */
  dump(path: string): Promise<number> {
    const { speaker, clock } = this.#options
    const { routerId, as, name } = speaker.settings
    const since = (address: string) => speaker.neighbour(address)?.establishedAt
    return writeMrtFile(
      path,
      dumpTables({ ribs: speaker.ribs, routerId, as, view: name ?? '', time: clock.now(), since }),
    )
  }

  /** To be called behind the speaker's end, so that it is told, too. */
  async close(text = ''): Promise<void> {
    for (const station of this.#stations) station.close(text)
    this.#unobserve()
    await this.#file?.close()
  }
}
