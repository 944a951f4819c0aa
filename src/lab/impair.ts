/** What an impaired wire does, in numbers: delays, losses and rates as a topology file writes them. */
import type { ImpairmentOptions } from '../model/device/impairment.ts'
import type { Impair } from './topology.ts'

const MICROSECONDS: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000 }
const BITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 }

/** The texts are of the forms that the schema allows. */
export function parseImpair({ delay, jitter, loss, rate }: Impair): ImpairmentOptions {
  return {
    delay: duration(delay),
    jitter: duration(jitter),
    loss: loss === undefined ? 0 : Number.parseFloat(loss) / 100,
    rate: rate === undefined ? undefined : bits(rate),
  }
}

function duration(text: string | undefined): number {
  const [, value = '0', unit = 'us'] = /^([0-9.]+)(us|ms|s)$/.exec(text ?? '') ?? []
  return Number(value) * MICROSECONDS[unit]!
}

function bits(text: string): number {
  const [, value = '0', unit = ''] = /^([0-9.]+)([kmg]?)bit$/.exec(text) ?? []
  return Number(value) * BITS[unit]!
}
