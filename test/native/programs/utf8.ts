/** Answers for each line of hexadecimal bytes its decoded text's UTF-16 units, and those encoded again, in hexadecimal. */
import { sys } from '#sys'

const hex = (values: Iterable<number>, width: number) =>
  Array.from(values, (value) => value.toString(16).padStart(width, '0')).join('')

const input = new Uint8Array(1 << 22)
let size = 0
for (;;) {
  const read = sys.read(0, input.subarray(size))
  if (read <= 0) break
  size += read
}
const lines = sys.decode(input.subarray(0, size)).split('\n')
const answers = lines.map((line) => {
  const bytes = Uint8Array.from(line.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  const text = sys.decode(bytes)
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
  // Every second text loses its first unit: half of a pair is left.
  return `${hex(units, 4)} ${hex(sys.encode(text.slice(1)), 2)}`
})
const output = sys.encode(answers.join('\n'))
sys.write(1, output, output.length)
sys.exit(0)
