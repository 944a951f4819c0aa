/** Who is let in: neighbours by address and by prefix. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { AttributeInterner } from '../../src/bgp/attribute/interner.ts'
import { Neighbours, type Range } from '../../src/bgp/neighbours.ts'
import { Observers } from '../../src/bgp/observer.ts'
import { peerSettings } from '../../src/bgp/peer-settings.ts'
import { ReadingTurns } from '../../src/bgp/reading-turns.ts'
import { KEEPALIVE, openHex, Recorder, ScriptedPeer, type World, world } from './speakers.ts'

const US = '10.0.0.1'
const SECOND = 1000

interface Met {
  readonly w: World
  readonly neighbours: Neighbours
  readonly heard: Map<string, Recorder>
  readonly gone: string[]
}

function listening(): Met {
  const w = world()
  const heard = new Map<string, Recorder>()
  const gone: string[] = []
  const speaking = {
    id: 0x0a000001,
    clock: w.clock,
    turns: new ReadingTurns(w.clock),
    observers: new Observers(),
    random: w.random,
    transport: w.network.host(US),
    restart: { restarting: false, forwarding: () => true },
    asSets: 'accept',
    attributes: (kind: ConstructorParameters<typeof AttributeInterner>[0]) => new AttributeInterner(kind),
  } as const
  const owner = {
    events({ address }: { address: string }) {
      const recorder = new Recorder()
      heard.set(address, recorder)
      return recorder
    },
    gone: (address: string) => {
      gone.push(address)
    },
  }
  return { w, neighbours: new Neighbours(speaking, owner, { addresses: undefined, port: 179 }), heard, gone }
}

const range = (prefix: string, remoteAs: number | undefined, limit = 10): Range => {
  const { address: _, passive: __, ...settings } = peerSettings({ address: prefix, remoteAs, localAs: 64512 })
  return { prefix, settings, limit }
}

function call({ w }: Met, from: string, as: number): ScriptedPeer {
  const peer = ScriptedPeer.dial(w, from, US)
  peer.send(openHex({ as, id: '0a0000ff' }))
  peer.send(KEEPALIVE)
  return peer
}

test('two of a prefix are two neighbours, of any AS when none is named', () => {
  const met = listening()
  met.neighbours.addRange(range('10.0.1.0/24', undefined))
  call(met, '10.0.1.7', 65001)
  call(met, '10.0.1.8', 65002)
  assert.deepEqual(
    [...met.heard].map(([address, { negotiated }]) => [address, negotiated?.peerAs]),
    [
      ['10.0.1.7', 65001],
      ['10.0.1.8', 65002],
    ],
  )
})

test('who is in no prefix, or one too many, is closed without a word', () => {
  const met = listening()
  met.neighbours.addRange(range('10.0.1.0/24', 65001, 1))
  call(met, '10.0.1.7', 65001)
  for (const address of ['10.0.1.8', '10.0.2.1', '10.0.0.9']) {
    assert.deepEqual(call(met, address, 65001).messages, [])
  }
  assert.deepEqual([...met.heard.keys()], ['10.0.1.7'])
})

test('of two prefixes the more specific counts, and an own entry more than either', () => {
  const met = listening()
  met.neighbours.addRange(range('10.0.0.0/16', 65001))
  met.neighbours.addRange(range('10.0.1.0/24', 65002))
  met.neighbours.add(peerSettings({ address: '10.0.1.9', remoteAs: 65003, localAs: 64512, passive: true })).enable()
  for (const [address, as] of [
    ['10.0.2.7', 65001],
    ['10.0.1.7', 65002],
    ['10.0.1.9', 65003],
  ] as const) {
    call(met, address, as)
    assert.deepEqual(met.heard.get(address)!.told, ['established'])
  }
})

test('a neighbour of a prefix is never dialled, and forgotten when it has been gone for a while', () => {
  const met = listening()
  met.neighbours.addRange(range('10.0.1.0/24', 65001))
  const caller = call(met, '10.0.1.7', 65001)
  const calls = ScriptedPeer.listen(met.w, '10.0.1.7')
  caller.connection.close()
  met.w.clock.advance(50 * SECOND)
  assert.ok(met.neighbours.get('10.0.1.7'))
  met.w.clock.advance(70 * SECOND)
  assert.deepEqual([met.neighbours.all, met.gone, calls], [[], ['10.0.1.7'], []])
})

test('a prefix that is removed has its neighbours told 6/3, and takes no others', () => {
  const met = listening()
  met.neighbours.addRange(range('10.0.1.0/24', 65001))
  const caller = call(met, '10.0.1.7', 65001)
  met.neighbours.removeRange('10.0.1.0/24')
  met.w.clock.advance(10)
  assert.equal(caller.notified, '6/3')
  assert.deepEqual([met.gone, call(met, '10.0.1.8', 65001).messages], [['10.0.1.7'], []])
})

test('at the end all are told 6/2, and the port is free', () => {
  const met = listening()
  met.neighbours.addRange(range('10.0.1.0/24', 65001))
  const caller = call(met, '10.0.1.7', 65001)
  met.neighbours.close()
  met.w.clock.advance(10)
  assert.equal(caller.notified, '6/2')
  assert.equal(ScriptedPeer.dial(met.w, '10.0.1.8', US).closed, 'connection refused')
})

test('an address is one neighbour', () => {
  const { neighbours } = listening()
  const settings = peerSettings({ address: '10.0.0.2', remoteAs: 65001, localAs: 64512 })
  neighbours.add(settings)
  assert.throws(() => neighbours.add(settings), RangeError)
  neighbours.remove('10.0.0.2')
  neighbours.add(settings)
})

test('a neighbour whose settings change is told 6/6 and is another; one whose settings do not is left alone', () => {
  const met = listening()
  const settings = peerSettings({ address: 'fd00::2', remoteAs: 65001, localAs: 64512, passive: true, multihop: 2 })
  met.neighbours.add(settings).enable()
  const caller = ScriptedPeer.dial(met.w, 'fd00::2', US)
  caller.send(openHex({ as: 65001 }))
  caller.send(KEEPALIVE)
  const before = met.neighbours.change({ ...settings })
  assert.deepEqual([before.established, met.neighbours.get('FD00::2') === before], [true, true])
  const after = met.neighbours.change({ ...settings, holdTime: 30 })
  met.w.clock.advance(10)
  assert.deepEqual([after === before, caller.notified, after.status.disabled], [false, '6/6', false])
  assert.throws(() => met.neighbours.change({ ...settings, address: 'fd00::3' }), RangeError)
})
