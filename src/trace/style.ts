/** Colours of a terminal: ECMA-48, SGR. */

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39] } as const

/** Paints text, or leaves it as it is. */
export function styleText(colour: boolean): (style: keyof typeof CODES, text: string) => string {
  return (style, text) => (colour ? `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m` : text)
}
