/** Lines of a stream, however it is cut: text ends with a line feed, which is not part of it. */

/** Characters. A request of ten thousand prefixes has some 300,000. */
const LONGEST = 1 << 20

/** Throws RangeError for a line that is too long. What stands behind the last line feed is no line. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>, longest = LONGEST): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const octets of stream) {
    const lines = (rest + decoder.decode(octets, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (line.length > longest) throw tooLong(longest)
      yield line
    }
    if (rest.length > longest) throw tooLong(longest)
  }
}

function tooLong(longest: number): RangeError {
  return new RangeError(`Cannot read the line: it has more than ${longest} characters`)
}
