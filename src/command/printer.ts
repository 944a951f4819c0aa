/**
 * Output of iproute2's programs, which write the same as text or as JSON: every step says both, and the printer takes one.
 */
import { JsonWriter } from './json-writer.ts'

interface PrinterOptions {
  readonly json: boolean
  readonly pretty: boolean
  /** `-o`: a backslash where a line would end. */
  readonly oneLine: boolean
}

export class Printer {
  readonly json: boolean
  readonly #writer: JsonWriter
  readonly #newLine: string
  #text = ''

  constructor({ json, pretty, oneLine }: PrinterOptions) {
    this.json = json
    this.#writer = new JsonWriter(pretty)
    this.#newLine = oneLine ? '\\' : '\n'
  }

  /** All that was written. JSON gets the line's end that iproute2 writes last. */
  finish(): string {
    return this.json ? `${this.#writer.text}\n` : this.#text
  }

  /** In text only. */
  text(text: string): void {
    if (!this.json) this.#text += text
  }

  /** In text only: the end of a line that has more of the same thing behind it. */
  newLine(): void {
    this.text(this.#newLine)
  }

  /** In JSON only. */
  member(key: string, value: string | number | boolean | null): void {
    if (!this.json) return
    this.#writer.key(key)
    this.#writer.value(JSON.stringify(value))
  }

  /** In both: the member's value, and the text where left out is the value and a space. */
  both(key: string, value: string | number, text = `${value} `): void {
    this.member(key, value)
    this.text(text)
  }

  /** In both: a word that stands or does not. */
  word(key: string, text = `${key} `): void {
    this.member(key, true)
    this.text(text)
  }

  /** A number with two digits behind the point, as iproute2 prints times. */
  decimal(key: string, value: number, text: string): void {
    if (this.json) {
      this.#writer.key(key)
      this.#writer.value(value.toFixed(2))
    }
    this.text(text)
  }

  /** In JSON: the strings as an array. */
  strings(key: string, values: readonly string[]): void {
    if (!this.json) return
    this.array(key, () => {
      for (const value of values) this.#writer.value(JSON.stringify(value))
    })
  }

  object(write: () => void, key?: string): void {
    if (this.json && key !== undefined) this.#writer.key(key)
    if (this.json) this.#writer.openObject()
    write()
    if (this.json) this.#writer.closeObject()
  }

  array(key: string | undefined, write: () => void): void {
    if (this.json && key !== undefined) this.#writer.key(key)
    if (this.json) this.#writer.openArray()
    write()
    if (this.json) this.#writer.closeArray()
  }
}
