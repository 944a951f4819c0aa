/** What commands print: text for people, JSON for scripts; the same facts in both. Progress and complaints go to stderr. */
import { styleText } from 'node:util'
import { Option } from 'commander'

export type Format = 'text' | 'json'

/** Spaces between columns. */
const GAP = 3

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'what to print')
    .choices(['text', 'json'])
    .default('text')
    .env('OVERLAB_OUTPUT')
}

export function print(format: Format, json: unknown, text: () => string): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(json, undefined, 2)}\n` : withNewline(text()))
}

export function complain(text: string): void {
  process.stderr.write(withNewline(text))
}

/** Columns under their headings, without borders. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) =>
    Math.max(...[heading, ...rows.map((row) => row[i]!)].map(({ length }) => length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]! + GAP))
      .join('')
      .trimEnd()
  return [styleText('bold', line(headings)), ...rows.map(line)].join('\n')
}

const withNewline = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`)
