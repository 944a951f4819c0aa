/**
 * A bar chart as SVG: a line for each bar, its name on the left, its figure on the right. Its colours follow the reader's
 * choice of light or dark (`prefers-color-scheme`), also where a page shows it as an image.
 */
export interface Bar {
  readonly name: string
  /** What stands at the bar's end. */
  readonly figure: string
  /** Of `most`. */
  readonly value: number
  /** The bar's whole: a fainter bar behind it. */
  readonly whole?: number
  /** A mark across the bar: a target. */
  readonly mark?: number
  /** In the colour of what is missing. */
  readonly missed?: boolean
}

export interface Chart {
  readonly title: string
  /** Under the title, what bars and marks are. */
  readonly legend: string
  readonly bars: readonly Bar[]
  /** What the longest bar could be; where left out, the greatest value. */
  readonly most?: number
}

/** Pixels. */
const WIDTH = 860
const NAMES = 330
const FIGURES = 120
const LINE = 24
const BAR = 14
const HEAD = 64

const style = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-size: 16px; font-weight: 600 }
    .legend { fill: #59636e }
    .whole { fill: #d1d9e0 }
    .value { fill: #1a7f37 }
    .missed { fill: #bc4c00 }
    .mark { stroke: #1f2328; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .legend { fill: #9198a1 }
      .whole { fill: #3d444d }
      .value { fill: #3fb950 }
      .missed { fill: #f0883e }
      .mark { stroke: #e6edf3 }
    }`

export function drawBars({ title, legend, bars, most }: Chart): string {
  const height = HEAD + bars.length * LINE + 8
  const greatest = most ?? Math.max(...bars.map(({ value, whole = 0, mark = 0 }) => Math.max(value, whole, mark)))
  const length = (value: number) => round(((WIDTH - NAMES - FIGURES) * value) / (greatest || 1))
  const lines = bars.map((bar, i) => drawBar(bar, HEAD + i * LINE, length))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
  <style>${style}
  </style>
  <text x="0" y="20" class="title">${escaped(title)}</text>
  <text x="0" y="42" class="legend">${escaped(legend)}</text>
${lines.join('\n')}
</svg>
`
}

function drawBar({ name, figure, value, whole, mark, missed }: Bar, y: number, length: (of: number) => number): string {
  const rect = (kind: string, of: number) =>
    `<rect x="${NAMES}" y="${y + (LINE - BAR) / 2}" width="${length(of)}" height="${BAR}" rx="2" class="${kind}"/>`
  const middle = y + LINE / 2 + 4
  const at = NAMES + length(mark ?? 0)
  return [
    `  <text x="${NAMES - 10}" y="${middle}" text-anchor="end">${escaped(name)}</text>`,
    ...(whole === undefined ? [] : [`  ${rect('whole', whole)}`]),
    `  ${rect(missed ? 'missed' : 'value', value)}`,
    ...(mark === undefined ? [] : [`  <line x1="${at}" y1="${y + 2}" x2="${at}" y2="${y + LINE - 2}" class="mark"/>`]),
    `  <text x="${NAMES + length(Math.max(value, whole ?? 0, mark ?? 0)) + 8}" y="${middle}">${escaped(figure)}</text>`,
  ].join('\n')
}

const round = (value: number) => Math.round(value * 10) / 10

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
