/** Connections that netfilter tracks. */
import assert from 'node:assert/strict'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { NftOperation } from '../../../src/kernel/nftables.ts'
import { IpProtocol } from '../../../src/wire/ipv4.ts'
import { type Case, eventually, has, refused, type World } from './case.ts'

const NODE = '10.1.0.1'
const CONTAINER = '10.1.0.2'
const SERVICE = '10.9.0.9'
const PORT = 4000
const timeout = 30_000

const table = { family: 'ip', table: 't' } as const

function commit(kernel: LiveKernel, operations: NftOperation[]): void {
  kernel.nftables.commit([{ operation: 'add table', table: { family: 'ip', name: 't' } }, ...operations])
}

/** A rule that looks at the state turns tracking on. */
function track(kernel: LiveKernel): void {
  commit(kernel, [
    {
      operation: 'add chain',
      chain: { ...table, name: 'f', base: { type: 'filter', hook: 'output', priority: 0 } },
    },
    {
      operation: 'add rule',
      rule: { ...table, chain: 'f', expressions: [{ type: 'ct', key: 'state', register: 1 }] },
    },
  ])
}

/** Two namespaces that reach each other, and the node tracks. */
function join({ node, container }: World): void {
  node.links.add({ kind: 'veth', name: 'l0', up: true, peer: { name: 'l0', namespace: container } })
  container.links.set('l0', { up: true })
  node.addresses.add({ link: 'l0', prefix: `${NODE}/24` })
  container.addresses.add({ link: 'l0', prefix: `${CONTAINER}/24` })
}

export const conntrackCases: readonly Case[] = [
  {
    title: 'while no rule needs connections, there are none',
    async check(world) {
      join(world)
      await world.node.ping(CONTAINER, { timeout })
      assert.deepEqual(world.node.conntrack.list(), [])
    },
  },
  {
    title: 'an echo and its reply are a connection, with both directions',
    async check(world) {
      const { node } = world
      join(world)
      track(node)
      const answer = await node.ping(CONTAINER, { timeout })
      assert.equal(answer.outcome, 'reply')
      const [entry, ...others] = node.conntrack.list({ protocol: IpProtocol.icmp })
      assert.deepEqual(others, [])
      has(entry, { family: 'ipv4', protocol: IpProtocol.icmp, mark: 0, seenReply: true, assured: false })
      const { icmpId } = entry!.original
      assert.deepEqual(entry!.original, { source: NODE, destination: CONTAINER, icmpType: 8, icmpCode: 0, icmpId })
      assert.deepEqual(entry!.reply, { source: CONTAINER, destination: NODE, icmpType: 0, icmpCode: 0, icmpId })
      assert.ok(entry!.timeout >= 25 && entry!.timeout <= 30, `${entry!.timeout} s`)
      assert.equal(entry!.state, undefined)
    },
  },
  {
    title: 'a TCP connection has a state, which both sides’ segments move on',
    async check(world) {
      const { node, container } = world
      join(world)
      track(node)
      const events = { data() {}, end() {}, closed() {} }
      const listener = container.sockets.listenTcp({ port: PORT }, () => events)
      let established = false
      const connection = node.sockets.connectTcp(
        { address: CONTAINER, port: PORT },
        {
          ...events,
          established() {
            established = true
          },
        },
      )
      await eventually(() => established, 'it is established')
      const [entry] = node.conntrack.list({ family: 'ipv4', protocol: IpProtocol.tcp })
      has(entry, { protocol: IpProtocol.tcp, state: 'ESTABLISHED', seenReply: true, assured: true })
      has(entry!.original, { source: NODE, destination: CONTAINER, destinationPort: PORT })
      has(entry!.reply, { source: CONTAINER, sourcePort: PORT, destinationPort: entry!.original.sourcePort! })
      connection.abort()
      await eventually(() => node.conntrack.list()[0]?.state === 'CLOSE', 'the reset is seen')
      listener.close()
    },
  },
  {
    title: 'what is translated is answered from elsewhere',
    async check(world) {
      const { node } = world
      join(world)
      node.routes.add({ destination: `${SERVICE}/32`, gateway: CONTAINER })
      commit(node, [
        {
          operation: 'add chain',
          chain: { ...table, name: 'n', base: { type: 'nat', hook: 'output', priority: -100 } },
        },
        {
          operation: 'add rule',
          rule: {
            ...table,
            chain: 'n',
            expressions: [
              { type: 'payload', base: 'network', offset: 16, length: 4, register: 1 },
              { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.of(10, 9, 0, 9) },
              { type: 'immediate', register: 1, value: Uint8Array.of(10, 1, 0, 2) },
              { type: 'nat', kind: 'dnat', family: 'ip', addressMin: 1 },
            ],
          },
        },
      ])
      const answer = await node.ping(SERVICE, { timeout })
      has(answer, { outcome: 'reply', from: SERVICE })
      const [entry] = node.conntrack.list()
      has(entry!.original, { source: NODE, destination: SERVICE })
      has(entry!.reply, { source: CONTAINER, destination: NODE })
    },
  },
  {
    title: 'a connection is deleted by its original direction, and only once; flushing takes all',
    async check(world) {
      const { node } = world
      join(world)
      track(node)
      await node.ping(CONTAINER, { timeout })
      const [entry] = node.conntrack.list()
      assert.deepEqual(node.conntrack.list({ family: 'ipv6' }), [])
      assert.deepEqual(node.conntrack.list({ family: 'ipv4', protocol: IpProtocol.udp }), [])
      node.conntrack.delete(entry!)
      assert.deepEqual(node.conntrack.list(), [])
      refused('ENOENT', () => node.conntrack.delete(entry!))
      await node.ping(CONTAINER, { timeout })
      node.conntrack.flush()
      assert.deepEqual(node.conntrack.list(), [])
    },
  },
]
