/** Any order of ADD and DEL, failures among them: each attachment is detached by what it was attached with, and once. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { env4, flannelNode, SUBNET_FILE } from './node.ts'

interface Step {
  readonly verb: 'ADD' | 'DEL'
  readonly containerId: string
  readonly ifName: string
  readonly fails: boolean
  /** Of subnet.env then: what the delegate is given tells the ADDs apart. */
  readonly mtu: number
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    verb: fc.constantFrom('ADD', 'DEL'),
    containerId: fc.constantFrom('c1', 'c2'),
    ifName: fc.constantFrom('eth0', 'net1', 'net2'),
    fails: fc.boolean(),
    mtu: fc.integer({ min: 1280, max: 9000 }),
  }),
  { maxLength: 30 },
)

test('every attachment has one scratch file, its own, until it is detached', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const node = flannelNode()
      /** Attachments, with the MTU that the delegate was last given for them with success. */
      const attached = new Map<string, number>()
      for (const { verb, containerId, ifName, fails, mtu } of steps) {
        const key = `${containerId} ${ifName}`
        node.write(SUBNET_FILE, env4.replace('1472', `${mtu}`))
        node.failing.clear()
        if (fails) node.failing.add(verb)
        node.received.length = 0
        const { status } = node.ask(verb, { containerId, ifName })
        if (verb === 'DEL') {
          const asked = attached.has(key) ? [attached.get(key)] : []
          assert.deepEqual(
            node.received.map(({ configuration }) => configuration.mtu),
            asked,
          )
          assert.equal(status, attached.has(key) && fails ? 1 : 0)
          if (status === 0) attached.delete(key)
        } else {
          assert.equal(status, fails ? 1 : 0)
          if (status === 0) attached.set(key, mtu)
        }
        assert.equal(Object.keys(node.scratches()).length, attached.size)
      }
      node.failing.clear()
      node.received.length = 0
      for (const key of attached.keys()) {
        const [containerId = '', ifName = ''] = key.split(' ')
        assert.equal(node.ask('DEL', { containerId, ifName }).status, 0)
      }
      assert.deepEqual(
        node.received.map(({ containerId, ifName, configuration }) => [`${containerId} ${ifName}`, configuration.mtu]),
        [...attached],
      )
      assert.deepEqual(node.scratches(), {})
    }),
    { numRuns: 300 },
  )
})
