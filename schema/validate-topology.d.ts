/** The compiled topology.schema.json: JSON Schema 2020-12. */

export interface ValidationError {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string
  readonly data?: unknown
}

export interface Validate {
  (value: unknown): boolean
  errors?: readonly ValidationError[] | null
}

declare const validate: Validate
export default validate
