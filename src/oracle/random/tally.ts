/** What a campaign came to, kind by kind. */
import type { FrameEnding } from '../ending.ts'
import type { CaseReport } from './campaign.ts'

export interface KindTally {
  readonly kind: string
  cases: number
  differences: number
  /** Cases in which the kernel was asked twice. */
  again: number
  readonly frames: Record<FrameEnding['outcome'], number>
}

/** Of a kind's frames as many percent must be delivered, and as many be dropped or answered by ICMP. */
const LEAST_SHARE = 20

/** Of fewer cases the shares say little. */
const ENOUGH_CASES = 200

export class Tally {
  readonly kinds: readonly KindTally[]

  constructor(kinds: readonly string[]) {
    this.kinds = kinds.map((kind) => ({
      kind,
      cases: 0,
      differences: 0,
      again: 0,
      frames: { delivered: 0, dropped: 0, 'answered by ICMP': 0, unsupported: 0, 'under way': 0 },
    }))
  }

  add({ kind, outcomes, again, smallest }: CaseReport): void {
    const tally = this.kinds.find((each) => each.kind === kind)!
    tally.cases++
    if (again) tally.again++
    if (smallest) tally.differences++
    for (const outcome of outcomes) tally.frames[outcome]++
  }

  get cases(): number {
    return this.kinds.reduce((sum, { cases }) => sum + cases, 0)
  }

  get differences(): number {
    return this.kinds.reduce((sum, { differences }) => sum + differences, 0)
  }

  /** A line for each kind, and one for all. */
  lines(): string[] {
    const all = `${this.cases} cases, ${this.differences} differences`
    return [...this.kinds.filter(({ cases }) => cases > 0).map(formatKind), all]
  }

  /** Kinds of which too many frames have the same fate. */
  lopsided(): string[] {
    return this.kinds
      .filter((tally) => tally.cases >= ENOUGH_CASES && sharesOf(tally).some((share) => share < LEAST_SHARE))
      .map(({ kind }) => kind)
  }
}

/** Percent of the frames whose fate is known: delivered, and dropped or answered by ICMP. A lone fragment waits. */
function sharesOf({ frames }: KindTally): [delivered: number, refused: number] {
  const all = Object.values(frames).reduce((sum, count) => sum + count, 0) - frames['under way']
  const share = (count: number) => Math.round((100 * count) / Math.max(all, 1))
  return [share(frames.delivered), share(frames.dropped + frames['answered by ICMP'])]
}

function formatKind(tally: KindTally): string {
  const { kind, cases, differences, again, frames } = tally
  const [delivered, refused] = sharesOf(tally)
  const sum = Object.values(frames).reduce((all, count) => all + count, 0)
  const unsupported = frames.unsupported > 0 ? `, ${frames.unsupported} not modelled` : ''
  return (
    `${kind.padEnd(12)}${String(cases).padStart(6)} cases ${String(sum).padStart(7)} frames: ${delivered} % delivered, ` +
    `${refused} % dropped or answered by ICMP${unsupported}; ${differences} differences, ${again} asked again`
  )
}
