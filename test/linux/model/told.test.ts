/** What a socket hears, and what a host answers that is asked for the time: the same in both kernels. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import type { UdpError } from '../../../src/kernel/socket.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { frame, icmp, MAC } from '../../model/ipv4/frames.ts'
import { asIcmp } from '../../oracle/scenarios/router.ts'
import { BothKernels, type Rig } from './both-kernels.ts'

const both = new BothKernels('a', 'r')

/** The router's times, milliseconds since midnight, and the checksum that covers them. */
const IDENTIFICATION = [18, 20]
const HEADER_SUM = [24, 26]
const ICMP_SUM = [36, 38]
const TIMES = [46, 54]
const TIMESTAMP_REPLY = 14

beforeAll(async () => {
  await both.pair('a:eth0', MAC.a0, 'r:r0', MAC.r0)
  both.each(({ a, r }) => {
    a!.addresses.add({ link: 'eth0', prefix: '10.1.0.2/24' })
    r!.addresses.add({ link: 'r0', prefix: '10.1.0.1/24' })
    a!.routes.add({ destination: '0.0.0.0/0', gateway: '10.1.0.1' })
    r!.sysctl.set('net/ipv4/ip_forward', '1')
    a!.neighbours.add({ link: 'eth0', address: '10.1.0.1', mac: MAC.r0 })
    r!.neighbours.add({ link: 'r0', address: '10.1.0.2', mac: MAC.a0 })
  })
})

afterAll(() => both.close())

async function heard(rig: Rig): Promise<unknown[]> {
  const datagrams: unknown[] = []
  const errors: UdpError[] = []
  const server = rig.r!.sockets.bindUdp(
    { address: '10.1.0.1', port: 5000 },
    { datagram: ({ address, port }, bytes, ttl) => datagrams.push([address, port, ...bytes, ttl]) },
  )
  const client = rig.a!.sockets.bindUdp({ address: '10.1.0.2', port: 6000 }, { error: (error) => errors.push(error) })
  try {
    client.send({ address: '10.1.0.1', port: 5000 }, Uint8Array.of(1, 2))
    client.send({ address: '10.1.0.1', port: 5001 }, Uint8Array.of(3))
    await eventually(() => datagrams.length === 1 && errors.length === 1, 'datagram and error are heard')
    return [...datagrams, ...errors]
  } finally {
    client.close()
    server.close()
  }
}

test('a datagram comes to who listens, and who sends to nobody is told', async () => {
  assert.deepEqual(await heard(both.model), await heard(both.linux))
})

test('who pings an address that no route leads to is told', async () => {
  const answers = [await both.linux.a!.ping('10.9.0.1'), await both.model.a!.ping('10.9.0.1')]
  const [theirs, ours] = answers.map(({ outcome, ...rest }) => [outcome, 'from' in rest && rest.from])
  assert.deepEqual(ours, theirs)
  assert.deepEqual(theirs, ['error', '10.1.0.1'])
})

test('who asks for the time is answered, with another time', async () => {
  await both.take()
  both.send('a:eth0', frame(asIcmp(icmp(13, 0, [0, 1, 0, 1], 12))))
  await both.compare((bytes) => {
    const masked = bytes.slice()
    if (masked[34] !== TIMESTAMP_REPLY) return masked
    for (const [from, to] of [IDENTIFICATION, HEADER_SUM, ICMP_SUM, TIMES]) masked.fill(0, from, to)
    return masked
  })
})
