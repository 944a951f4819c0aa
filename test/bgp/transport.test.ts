/** The transport in memory, and that of sockets on the model, keep the contract of test/contract/bgp-transport.ts. */
import { MemoryNetwork } from '../../src/bgp/memory-transport.ts'
import { SocketTransport } from '../../src/bgp/socket-transport.ts'
import { MILLISECOND } from '../../src/model/clock.ts'
import { createModel } from '../../src/model/create.ts'
import type { Clock } from '../../src/store/clock.ts'
import { bgpTransportContract, HOSTS } from '../contract/bgp-transport.ts'
import { eventually, inTime } from '../contract/kernel/case.ts'
import { StepClock } from './step-clock.ts'

bgpTransportContract('in memory', () => {
  const clock = new StepClock()
  const network = new MemoryNetwork(clock)
  return {
    a: network.host(...HOSTS.a),
    b: network.host(...HOSTS.b),
    eventually: (holds, what) =>
      inTime(
        () => clock.advance(20),
        () => eventually(holds, what),
      ),
    tearDown() {},
  }
})

bgpTransportContract('model', () => {
  const machine = createModel()
  const [a, b] = ['a', 'b'].map((name) => machine.enter(machine.namespaces.add(name))!)
  a!.links.add({ kind: 'veth', name: 'eth0', peer: { name: 'eth0', namespace: b! } })
  const clock: Clock = {
    now: () => machine.model.clock.now / MILLISECOND,
    after(milliseconds, run) {
      const timer = machine.model.clock.after(milliseconds * MILLISECOND, run)
      return () => machine.model.clock.cancel(timer)
    },
  }
  for (const [kernel, addresses] of [
    [a!, HOSTS.a],
    [b!, HOSTS.b],
  ] as const) {
    for (const link of ['lo', 'eth0']) kernel.links.set(link, { up: true })
    addresses.forEach(
      (address, i) => void kernel.addresses.add({ link: 'eth0', prefix: `${address}/${[24, 64][i]}`, noDad: i === 1 }),
    )
  }
  return {
    a: new SocketTransport(a!.sockets, clock),
    b: new SocketTransport(b!.sockets, clock),
    eventually: (holds, what) =>
      inTime(
        () => machine.model.advance(20 * MILLISECOND),
        () => eventually(holds, what),
      ),
    tearDown() {
      a!.close()
      b!.close()
    },
  }
})
