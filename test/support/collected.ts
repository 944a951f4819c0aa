/** All that an asynchronous sequence has: Array.fromAsync, which is younger than the language that we compile for. */
export async function collected<T>(sequence: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const each of sequence) all.push(each)
  return all
}
