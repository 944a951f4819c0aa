/** Whatever a wire does to segments, the bytes arrive: each once, in order. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { CLIENT, LossyLink, SERVER, type Wire } from './lossy-link.ts'

const PORT = 80

/** Sends that many bytes both ways; answers what was heard, or that it took too long. */
function exchange(wire: Wire, sizes: readonly number[], timestamps: boolean) {
  const link = new LossyLink(wire)
  const [client, server] = [link.world.in('client'), link.world.in('server')]
  client.sysctl.set('net/ipv4/tcp_timestamps', timestamps ? '1' : '0')
  client.sysctl.set('net/ipv4/tcp_sack', timestamps ? '1' : '0')
  const all = sizes.map((size, i) => Uint8Array.from({ length: size }, (_, at) => at * 31 + i))
  const heard = { client: [] as number[], server: [] as number[] }
  const closed: string[] = []
  const tell = (side: 'client' | 'server') => ({
    data: (_: unknown, bytes: Uint8Array) => void heard[side].push(...bytes),
    closed: (_: unknown, errno: string | undefined) => void closed.push(`${side} ${errno ?? 'ended'}`),
  })
  server.sockets.listenTcp({ port: PORT }, (connection) => {
    for (const bytes of all) connection.write(bytes)
    connection.end()
    return tell('server')
  })
  const connection = client.sockets.connectTcp({ address: SERVER, port: PORT, source: CLIENT }, tell('client'))
  for (const bytes of all) connection.write(bytes)
  connection.end()
  for (let i = 0; i < 4000 && closed.length < 2; i++) link.advance(100)
  return { heard, closed: closed.sort(), expected: all.flatMap((bytes) => [...bytes]) }
}

test('bytes arrive once and in order, over a wire that loses, repeats and delays', () => {
  const fates = fc.array(fc.constantFrom('arrives', 'arrives', 'arrives', 'lost', 'twice', 'late'), {
    minLength: 0,
    maxLength: 80,
  })
  const sizes = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(fates, sizes, fc.boolean(), (list, written, timestamps) => {
      const left = [...list]
      const result = exchange({ fate: () => left.shift() ?? 'arrives' }, written, timestamps)
      assert.deepEqual(result.heard.server, result.expected)
      assert.deepEqual(result.heard.client, result.expected)
      assert.deepEqual(result.closed, ['client ended', 'server ended'])
    }),
    { numRuns: 60, seed: 7 },
  )
})

test('a wire that loses every third frame is slow, and no more than that', () => {
  let count = 0
  const { heard, expected, closed } = exchange({ fate: () => (++count % 3 === 0 ? 'lost' : 'arrives') }, [30_000], true)
  assert.deepEqual(heard.server, expected)
  assert.deepEqual(heard.client, expected)
  assert.deepEqual(closed, ['client ended', 'server ended'])
})
