/** What holds whatever the peers say, and in whatever order. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { formatAttributes, type PathAttributes } from '../../../src/bgp/attribute/attributes.ts'
import { WellKnown } from '../../../src/bgp/attribute/communities.ts'
import { formatPrefixKey } from '../../../src/bgp/nlri.ts'
import { decide, explain } from '../../../src/bgp/rib/decision.ts'
import { createPath, type Path } from '../../../src/bgp/rib/path.ts'
import { attributes, FAMILIES, type PeerOptions, type ScriptedPeer, Speaker } from './speaker.ts'

const AS = 64512
const CLUSTER = '9.9.9.9'
const neighbours: readonly PeerOptions[] = [
  { address: '10.0.0.11', as: 65001 },
  { address: '10.0.0.12', as: 65002 },
  { address: '10.0.0.13', as: 65001, routerId: '1.1.1.1' },
  { address: '10.0.0.14', as: 65002, addPathReceived: true },
  { address: '10.0.0.15', as: 65003, addPathSent: true },
  { address: '10.0.0.21', as: AS },
  { address: '10.0.0.22', as: AS },
  { address: '10.0.0.31', as: AS, clusterId: CLUSTER },
  { address: '10.0.0.32', as: AS, clusterId: CLUSTER },
]
const prefixes = ['10.1.0.0/16', '10.2.0.0/24', '10.3.0.0/26', 'fd01::/48', 'fd02::/122']

/** Few values, so that routes tie at every step. */
const route = fc.record({
  localPref: fc.constantFrom(undefined, 100, 200),
  med: fc.constantFrom(undefined, 0, 1, 2),
  origin: fc.constantFrom('IGP' as const, 'EGP' as const),
  behind: fc.constantFrom([], [7], [7, 8], [AS]),
  first: fc.constantFrom(65001, 65002),
  hop: fc.constantFrom(1, 2, 3),
  community: fc.constantFrom(undefined, ...Object.values(WellKnown)),
})
type Route = typeof route extends fc.Arbitrary<infer T> ? T : never

/** What several peers are likely to say, so that routes from different peers are sent as the same. */
const plain: Route = {
  localPref: undefined,
  med: undefined,
  origin: 'IGP',
  behind: [],
  first: 65001,
  hop: 1,
  community: undefined,
}

type Action =
  | {
      readonly kind: 'announce'
      readonly peer: number
      readonly prefix: number
      readonly pathId: number
      readonly route: Route
    }
  | { readonly kind: 'withdraw'; readonly peer: number; readonly prefix: number; readonly pathId: number }
  | { readonly kind: 'settle' }
  | { readonly kind: 'pump' }
  | { readonly kind: 'down'; readonly peer: number }
  | { readonly kind: 'slow'; readonly peer: number; readonly isReady: boolean }

const peer = fc.nat({ max: neighbours.length - 1 })
const prefix = fc.nat({ max: prefixes.length - 1 })
const pathId = fc.nat({ max: 1 })
const announce = fc.record({
  kind: fc.constant('announce' as const),
  peer,
  prefix,
  pathId,
  route: fc.oneof(route, fc.constant(plain)),
})
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: announce },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), peer, prefix, pathId }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'settle' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'pump' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('down' as const), peer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('slow' as const), peer, isReady: fc.boolean() }) },
)

function attributesOf(who: number, which: number, it: Route): PathAttributes {
  const internal = neighbours[who]!.as === AS
  const first = internal ? [] : [neighbours[who]!.as]
  const family6 = prefixes[which]!.includes(':')
  return attributes({
    nextHop: family6 ? `fd00:10::${it.hop}` : `10.0.0.${it.hop}`,
    path: [...first, ...(internal && it.behind.length > 0 ? [it.first] : []), ...it.behind],
    origin: it.origin,
    med: it.med,
    localPref: internal ? it.localPref : undefined,
    communities: it.community === undefined ? [] : [it.community],
  })
}

/** Of peers that send them. */
const pathIdOf = (who: number, id: number) => (neighbours[who]!.addPathReceived ? id : undefined)

class World {
  readonly speaker = new Speaker({
    as: AS,
    networks: ['10.2.0.0/24', 'fd0f::/64'],
    clusterIds: [CLUSTER],
    resolve: (address) => (address.endsWith('3') ? undefined : Number(address.at(-1))),
  })
  readonly peers: ScriptedPeer[]
  /** By peer, prefix and path identifier: what was announced and not withdrawn. */
  readonly state = new Map<string, PathAttributes>()

  constructor() {
    this.peers = neighbours.map((options) => this.speaker.peer(options))
  }

  do(it: Action): void {
    if (it.kind === 'settle') this.speaker.settle()
    if (it.kind === 'pump') this.speaker.ribs.pump()
    if (it.kind === 'announce') this.announce(it.peer, it.prefix, it.pathId, attributesOf(it.peer, it.prefix, it.route))
    if (it.kind === 'slow') this.peers[it.peer]!.session.member.ready = it.isReady
    if (it.kind === 'withdraw') {
      const pathId = pathIdOf(it.peer, it.pathId)
      this.peers[it.peer]!.withdraw([prefixes[it.prefix]!], pathId)
      this.state.delete(`${it.peer} ${it.prefix} ${pathId ?? 0}`)
    }
    if (it.kind === 'down') {
      this.peers[it.peer]!.session.down()
      for (const name of [...this.state.keys()]) if (name.startsWith(`${it.peer} `)) this.state.delete(name)
      this.peers[it.peer] = this.speaker.peer(neighbours[it.peer]!)
    }
  }

  announce(who: number, which: number, id: number, given: PathAttributes): void {
    const pathId = pathIdOf(who, id)
    this.peers[who]!.announce([prefixes[which]!], given, pathId)
    this.state.set(`${who} ${which} ${pathId ?? 0}`, given)
  }

  end(): void {
    for (const { session } of this.peers) session.member.ready = true
    this.speaker.settle()
  }

  table() {
    return FAMILIES.map((family) =>
      [...this.speaker.tables[family].all()]
        .filter(({ best }) => best)
        .map(({ key, best }) => [
          formatPrefixKey(key),
          best!.source.peer.address,
          ...formatAttributes(best!.attributes),
        ])
        .sort(),
    )
  }

  heard() {
    return this.peers.map(({ rib }) => shown([...rib]))
  }

  adjOut() {
    return neighbours.map(({ address, addPathSent }) => {
      const routes = FAMILIES.flatMap((family) => [...this.speaker.groups[family].of(address)!.routes(address)])
      return shown(
        routes.map(({ key, sent }): [string, PathAttributes] => {
          const prefix = formatPrefixKey(key)
          return [addPathSent ? `${prefix} ${sent.pathId}` : prefix, sent.attributes]
        }),
      )
    })
  }
}

const shown = (routes: readonly (readonly [string, PathAttributes])[]) =>
  routes.map(([key, given]) => [key, ...formatAttributes(given)].join(' | ')).sort()

/** Path identifiers are given out as they are needed. */
const withoutPathIds = (all: readonly (readonly string[])[]) =>
  all.map((routes) => routes.map((each) => each.replace(/^(\S+) \d+ /, '$1 ')).sort())

function fresh(state: ReadonlyMap<string, PathAttributes>): World {
  const world = new World()
  for (const [name, given] of [...state].reverse()) {
    const [who, which, pathId] = name.split(' ').map(Number)
    world.announce(who!, which!, pathId!, given)
  }
  world.end()
  return world
}

test('the tables, and what peers have been sent, are those of a speaker that has heard the last state only', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const world = new World()
      for (const each of actions) world.do(each)
      world.end()
      const other = fresh(world.state)
      assert.deepEqual(world.table(), other.table())
      assert.deepEqual(withoutPathIds(world.heard()), withoutPathIds(other.heard()))
      assert.deepEqual(world.heard(), world.adjOut())
      assert.equal(world.speaker.tables.ipv4.size, world.table()[0]!.length)
      for (const [i, { session }] of world.peers.entries()) {
        const all = FAMILIES.reduce((sum, family) => sum + session.adjIn[family].received, 0)
        assert.equal(all, [...world.state.keys()].filter((name) => name.startsWith(`${i} `)).length)
      }
    }),
    { numRuns: 300 },
  )
})

describe('the decision', () => {
  const hops = [1, 2, undefined].map((metric, i) => ({
    address: `10.0.0.${i + 1}`,
    linkLocal: undefined,
    reason: undefined,
    metric,
  }))
  const path: fc.Arbitrary<Path> = fc.tuple(peer, route, fc.nat({ max: 1 })).map(([who, it, pathId]) => {
    const { address, as, routerId } = neighbours[who]!
    const given = attributesOf(who, 0, it)
    return createPath({
      source: {
        peer: {
          address,
          routerId: routerId ? 0x01010101 : who,
          as,
          kind: as === AS ? 'internal' : 'external',
          clusterId: undefined,
        },
        stale: false,
      },
      pathId,
      received: given,
      attributes: given,
      priority: undefined,
      interface: undefined,
      hop: hops[it.hop - 1]!,
      excluded: undefined,
    })
  })
  /** As in a table: one path of a peer and path identifier. */
  const paths = fc.uniqueArray(path, {
    maxLength: 7,
    selector: ({ source, pathId }) => `${source.peer.address} ${pathId}`,
  })
  const options = { preferOlder: false }

  test('does not depend on the order of the paths', () => {
    fc.assert(
      fc.property(
        paths.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
        ),
        ([all, shuffled]) => {
          const [one, other] = [decide(all, options), decide(shuffled, options)]
          assert.equal(one?.best, other?.best)
          assert.deepEqual(new Set(one?.equal), new Set(other?.equal))
        },
      ),
      { numRuns: 1000 },
    )
  })
  test('is always made when a path can be used, and paths that cannot win change nothing', () => {
    fc.assert(
      fc.property(paths, (all) => {
        const usable = all.filter(({ hop }) => hop.metric !== undefined)
        assert.equal(decide(all, options)?.best, decide(usable, options)?.best)
        assert.equal(decide(all, options) === undefined, usable.length === 0)
      }),
    )
  })
  test('of one neighbour AS is a strict order: the best of all beats each of them alone', () => {
    fc.assert(
      fc.property(paths, (all) => {
        const same = all.filter(({ neighbourAs }) => neighbourAs === 65001)
        const best = decide(same, options)?.best
        for (const each of same) {
          if (best && each !== best && each.hop.metric !== undefined)
            assert.equal(decide([each, best], options)!.best, best)
        }
      }),
    )
  })
  test('is explained for every path, and the explanation names the same best', () => {
    fc.assert(
      fc.property(paths, (all) => {
        const verdicts = explain(all, options)
        const decided = decide(all, options)
        assert.deepEqual(new Set(verdicts.map((verdict) => verdict.path)), new Set(all))
        assert.equal(verdicts.length, all.length)
        assert.equal(verdicts.find(({ lost }) => !lost)?.path, decided?.best)
        const multipath = verdicts.filter((verdict) => verdict.multipath).map((verdict) => verdict.path)
        assert.deepEqual(new Set(multipath), new Set((decided?.equal.length ?? 0) > 1 ? decided!.equal : []))
      }),
    )
  })
})
