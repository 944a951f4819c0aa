/**
 * JSON as iproute2 writes it: keys in the order of the text, one line, or with `-p` indented in a manner of its own (an
 * array of plain values stays on its line).
 */
const INDENT = '    '

export class JsonWriter {
  readonly #pretty: boolean
  #text = ''
  #depth = 0
  /** Something stands before in this object or array. */
  #comma = false

  constructor(pretty: boolean) {
    this.#pretty = pretty
  }

  get text(): string {
    return this.#text
  }

  openObject(): void {
    this.#begin('{')
  }

  closeObject(): void {
    this.#end('}')
  }

  openArray(): void {
    this.#begin('[')
    if (this.#pretty) this.#text += ' '
  }

  closeArray(): void {
    if (this.#pretty && this.#comma) this.#text += ' '
    this.#comma = false
    this.#end(']')
  }

  key(name: string): void {
    this.#separate()
    this.#newLine()
    this.#comma = false
    this.#text += `${JSON.stringify(name)}:${this.#pretty ? ' ' : ''}`
  }

  /** `text` is JSON already. */
  value(text: string): void {
    this.#separate()
    this.#text += text
  }

  #begin(bracket: string): void {
    this.#separate()
    this.#text += bracket
    this.#depth++
    this.#comma = false
  }

  #end(bracket: string): void {
    this.#depth--
    if (this.#comma) this.#newLine()
    this.#text += bracket
    this.#comma = true
  }

  #separate(): void {
    if (this.#comma) this.#text += ','
    this.#comma = true
  }

  #newLine(): void {
    if (this.#pretty) this.#text += `\n${INDENT.repeat(this.#depth)}`
  }
}
