/** Keeps subnet.env as it should be: written when it says something else, and again when somebody has removed it. */
import type { Notice } from './notice.ts'

/** subnet.env. Both throw when it cannot be done. */
export interface SubnetFileAccess {
  /** Undefined: there is none. */
  read(): string | undefined
  /** Others see the old file or the new one. */
  write(text: string): void
}

type Tell = (level: Notice['level'], message: string) => void

export class SubnetWriter {
  readonly #file: SubnetFileAccess
  readonly #tell: Tell
  #text: string | undefined
  #problem: string | undefined

  constructor(file: SubnetFileAccess, tell: Tell) {
    this.#file = file
    this.#tell = tell
  }

  /** Why it does not say what it should. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** What the daemon before us wrote; empty where that cannot be known. */
  earlier(): string {
    try {
      return this.#file.read() ?? ''
    } catch (error) {
      this.#tell('warning', `${(error as Error).message}; going on without it`)
      return ''
    }
  }

  /** From now on; written by `write`. */
  want(text: string): void {
    this.#text = text
  }

  /** Whether it says what is wanted now. */
  write(): boolean {
    if (this.#text === undefined) return false
    try {
      if (this.#file.read() !== this.#text) {
        this.#file.write(this.#text)
        this.#tell('info', `Wrote subnet.env: ${this.#text.trim().replaceAll('\n', ' ')}`)
      }
    } catch (error) {
      const { message } = error as Error
      if (this.#problem !== message) this.#tell('error', `${message}; trying again once a minute`)
      this.#problem = message
      return false
    }
    this.#problem = undefined
    return true
  }
}
