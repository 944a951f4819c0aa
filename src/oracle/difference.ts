/**
 * How a difference is shown: in one line, and where two frames differ, both in hexadecimal, one below the other, with the
 * bytes that differ marked.
 */
import { type FrameField, fieldsOf, formatField } from './fields.ts'

export interface Difference {
  readonly kind: 'frame' | 'missing' | 'extra' | 'order' | 'time' | 'ending' | 'state' | 'rules'
  /** `n1:flannel.1 out, frame 3: ipv4.ttl 63, expected 62`. */
  readonly what: string
  /** Where it is: `n1:flannel.1`. */
  readonly at?: string
  /** Both frames in hexadecimal, or the one that has no counterpart. */
  readonly detail?: string
}

/** All of it as text. */
export function formatDifference({ what, detail }: Difference): string {
  return detail === undefined ? what : `${what}\n${detail}`
}

/** `ipv4.ttl 63, expected 62`: the first field that differs. Undefined where none does. */
export function firstField(expected: Uint8Array, found: Uint8Array): string | undefined {
  const at = differing(expected, found)[0]
  if (at === undefined) return undefined
  if (expected.length !== found.length) return `${found.length} bytes, expected ${expected.length}`
  const fields = fieldsOf(expected)
  const covers = ({ at: start, size }: FrameField) => at >= start && at < start + size
  // Where two headers claim a byte (a quoted packet in an ICMP error's data) the inner one says more.
  const field = fields.findLast(covers)!
  return `${field.name} ${formatField(field, found)}, expected ${formatField(field, expected)}`
}

const LINE = 16

/** 16 bytes a line: those of the expected frame above those of the found one where they differ. `names` are what they are called. */
export function dumpBoth(expected: Uint8Array, found: Uint8Array, names = ['expected', 'found']): string {
  const marked = new Set(differing(expected, found))
  const lines: string[] = []
  for (let at = 0; at < Math.max(expected.length, found.length); at += LINE) {
    const differs = Array.from({ length: LINE }, (_, i) => marked.has(at + i)).includes(true)
    if (!differs) lines.push(dumpLine('    ', expected, at, marked))
    else lines.push(dumpLine('  - ', expected, at, marked), dumpLine('  + ', found, at, marked))
  }
  return `  - ${names[0]}   + ${names[1]}   >xx differs\n${lines.join('\n')}`
}

export function dump(bytes: Uint8Array): string {
  const none = new Set<number>()
  const starts = Array.from({ length: Math.ceil(bytes.length / LINE) }, (_, i) => i * LINE)
  return starts.map((at) => dumpLine('    ', bytes, at, none)).join('\n')
}

function dumpLine(sign: string, bytes: Uint8Array, at: number, marked: ReadonlySet<number>): string {
  const words = Array.from(bytes.subarray(at, at + LINE), (byte, i) => {
    return `${marked.has(at + i) ? '>' : ' '}${byte.toString(16).padStart(2, '0')}`
  })
  return `${sign}${at.toString(16).padStart(4, '0')} ${words.join('')}`
}

function differing(expected: Uint8Array, found: Uint8Array): number[] {
  const length = Math.max(expected.length, found.length)
  return Array.from({ length }, (_, i) => i).filter((i) => expected[i] !== found[i])
}
