/** The fields of `fields` that are not undefined: an absent field is how the kernel interface says "has none". */
export function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  const result: Partial<T> = {}
  for (const key in fields) if (fields[key] !== undefined) result[key] = fields[key]
  return result as T
}
