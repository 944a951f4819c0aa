/** The fields of a frame by their names: `inner.ipv4.ttl`, `quoted.udp.sourcePort`. */
import { toHex } from '../trace/hex.ts'
import { type Layer, layersOf, layouts } from './layers.ts'

export interface FrameField {
  readonly name: string
  readonly at: number
  readonly size: number
}

/** In the order of their bytes: every byte of the frame is of one. What no header claims is `data`. */
export function fieldsOf(bytes: Uint8Array): FrameField[] {
  const fields: FrameField[] = []
  for (const layer of layersOf(bytes)) fields.push(...fieldsOfLayer(layer))
  const end = fields.reduce((last, { at, size }) => Math.max(last, at + size), 0)
  if (end < bytes.length) fields.push({ name: 'data', at: end, size: bytes.length - end })
  return fields
}

function fieldsOfLayer({ protocol, within, at, behind }: Layer): FrameField[] {
  const { offsets, size } = layouts[protocol]
  const starts = Object.entries<number>(offsets)
  const fields = starts.map(([name, offset], i) => ({
    name: `${within}${protocol}.${name}`,
    at: at + offset,
    size: (starts[i + 1]?.[1] ?? size) - offset,
  }))
  if (behind > at + size) fields.push({ name: `${within}${protocol}.options`, at: at + size, size: behind - at - size })
  return fields
}

/** `10.244.0.2`, `63`: as the header's own layout reads it; bits and options in hexadecimal. */
export function formatField({ name, at, size }: FrameField, bytes: Uint8Array): string {
  const [protocol, field] = name.split('.').slice(-2)
  const raw = bytes.subarray(at, at + size)
  if (raw.length < size) return 'cut off'
  const layout = layouts[protocol as keyof typeof layouts]
  if (!layout || field === undefined || !(field in layout.offsets) || isBits(field)) return shortened(toHex(raw))
  const start = at - (layout.offsets as Readonly<Record<string, number>>)[field]!
  if (bytes.length < start + layout.size) return `0x${toHex(raw)}`
  return String((layout.decode(bytes.subarray(start)) as Readonly<Record<string, unknown>>)[field])
}

const isBits = (field: string) => /^(?:flags|checksum|version|offset|etherType|rest)/.test(field)

/** Hexadecimal digits that are told of a long field. */
const MOST = 32

const shortened = (hex: string) => (hex.length > MOST ? `0x${hex.slice(0, MOST)}…` : `0x${hex}`)
