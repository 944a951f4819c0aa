/** The configuration of a speaker: what it means, what is refused, and with which words. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { ConfigError } from '../../src/bgp/config/problem.ts'
import { readConfig } from '../../src/bgp/config.ts'
import type { SpeakerSettings } from '../../src/bgp/speaker-settings.ts'
import { MESH_NODE } from './configurations.ts'

type Json = Readonly<Record<string, unknown>>

const LEAST = { routerId: '10.0.0.1', as: 64512 }
const PEER = { address: '10.0.0.2', remoteAs: 64512 }
const SECRETS: Readonly<Record<string, string>> = { 'rack.key': 'secret', 'empty.key': '', 'long.key': 'x'.repeat(81) }

const host = {
  readSecret(file: string) {
    const secret = SECRETS[file]
    if (secret === undefined) throw new Error('cannot be read: ENOENT')
    return secret
  },
}

function read(given: Json): SpeakerSettings {
  return readConfig({ ...LEAST, ...given }, host)
}

function neighbour(given: Json) {
  return read({ neighbors: [{ ...PEER, ...given }] }).neighbours[0]!
}

function problems(value: unknown): string[] {
  try {
    readConfig(value, host)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

describe('what is left out', () => {
  test('a speaker is as the contract says it is by default', () => {
    assert.deepEqual(readConfig(LEAST, host), {
      name: undefined,
      routerId: 0x0a000001,
      as: 64512,
      listen: { addresses: undefined, port: 179 },
      families: ['ipv4', 'ipv6'],
      networks: [],
      kernel: { ecmp: 16, protocol: 182, table: 254, metric: 32, persist: false },
      preferOlder: false,
      neighbours: [],
    })
  })

  test('a neighbour is as the contract says it is by default, but for the time between attempts', () => {
    assert.deepEqual(neighbour({}), {
      session: {
        name: undefined,
        address: '10.0.0.2',
        remoteAs: 64512,
        localAs: 64512,
        localAddress: undefined,
        port: 179,
        passive: false,
        multihop: undefined,
        ttlSecurity: undefined,
        password: undefined,
        holdTime: 90,
        keepalive: undefined,
        connectRetry: 5,
        families: ['ipv4'],
        addPath: undefined,
        gracefulRestart: undefined,
        longLivedGracefulRestart: undefined,
        required: [],
        extendedNextHop: false,
        extendedMessages: false,
        enhancedRouteRefresh: true,
      },
      range: undefined,
      isClient: false,
      clusterId: undefined,
      nextHop: 'auto',
      maxPrefixes: undefined,
      importAll: true,
      exportAll: true,
      allowAsIn: 0,
      communities: [],
      filters: { importV4: [], exportV4: [], importV6: [], exportV6: [] },
      priorityAsLocalPref: false,
      bfd: undefined,
    })
  })

  test('null is what is left out', () => {
    const nulls = { name: null, listenAddress: null, networks: null, kernel: null, neighbors: null, filters: null }
    assert.deepEqual(read(nulls), readConfig(LEAST, host))
    assert.deepEqual(neighbour({ holdTime: null, bfd: null, families: null, filters: null }), neighbour({}))
  })

  test('a neighbour is spoken to of the family of its address', () => {
    assert.deepEqual(neighbour({ address: 'fd00::2' }).session.families, ['ipv6'])
  })
})

describe('what is said', () => {
  test('the node of a mesh, as the suite writes it', () => {
    const { networks, neighbours, kernel } = readConfig(MESH_NODE, host)
    assert.deepEqual(networks, [
      { prefix: '10.244.1.0/26', communities: [], blackhole: true },
      { prefix: 'fd44:1::/122', communities: [], blackhole: true },
    ])
    assert.deepEqual(
      neighbours.map(({ session }) => [session.name, session.address, session.localAddress, session.families]),
      [
        ['n2', '10.0.0.2', '10.0.0.1', ['ipv4']],
        ['n2-6', 'fd00:10::2', 'fd00:10::1', ['ipv6']],
      ],
    )
    assert.equal(neighbours[0]!.session.connectRetry, 2)
    assert.equal(kernel?.ecmp, 16)
  })

  const said: readonly [string, Json, (settings: SpeakerSettings) => unknown, unknown][] = [
    ['one address to listen at', { listenAddress: '10.0.0.1' }, ({ listen }) => listen.addresses, ['10.0.0.1']],
    ['several', { listenAddress: ['10.0.0.1', 'FD00::1'] }, ({ listen }) => listen.addresses, ['10.0.0.1', 'fd00::1']],
    ['no kernel', { kernel: { install: false, ecmp: 1 } }, ({ kernel }) => kernel, undefined],
    ['an address as the identifier above 127', { routerId: '203.0.113.9' }, ({ routerId }) => routerId, 0xcb007109],
    ['an identifier of the name', { name: 'n1', routerId: 'hash' }, ({ routerId }) => routerId, 0x0435dc00],
    [
      'a network with communities',
      { networks: [{ prefix: '10.1.0.0/16', communities: ['65000:1', 'no-export'], blackhole: false }] },
      ({ networks }) => networks,
      [{ prefix: '10.1.0.0/16', communities: [65000 * 65536 + 1, 0xffffff01], blackhole: false }],
    ],
  ]
  for (const [title, given, of, expected] of said) {
    test(title, () => assert.deepEqual(of(read(given)), expected))
  }

  const ofNeighbour: readonly [string, Json, (settings: ReturnType<typeof neighbour>) => unknown, unknown][] = [
    ['another AS of ours', { localAs: 65001 }, ({ session }) => session.localAs, 65001],
    ['BFD as it is', { bfd: true }, ({ bfd }) => bfd, { minTx: 100, minRx: 100, multiplier: 3 }],
    ['BFD', { bfd: { minTx: 50 } }, ({ bfd }) => bfd, { minTx: 50, minRx: 100, multiplier: 3 }],
    ['no BFD', { bfd: false }, ({ bfd }) => bfd, undefined],
    ['a hold time of 0', { holdTime: 0 }, ({ session }) => session.holdTime, 0],
    [
      'a helper',
      { gracefulRestart: { restarting: false } },
      ({ session }) => session.gracefulRestart,
      { time: 120, restarting: false },
    ],
    ['next hop self', { nextHopSelf: true }, ({ nextHop }) => nextHop, 'self'],
    ['next hop keep', { nextHop: 'keep' }, ({ nextHop }) => nextHop, 'keep'],
    ['a cluster', { rrClient: true, clusterId: '9.9.9.9' }, ({ clusterId }) => clusterId, 0x09090909],
    ['a password of 80 octets', { password: 'x'.repeat(80) }, ({ session }) => session.password, 'x'.repeat(80)],
    ['a password in a file', { passwordFile: 'rack.key' }, ({ session }) => session.password, 'secret'],
    [
      'capabilities by the names of the contract',
      { requireCapabilities: ['as4', 'graceful-restart'] },
      ({ session }) => session.required,
      ['four-octet-as', 'graceful-restart'],
    ],
    [
      'a range, of any AS',
      { address: '10.0.0.0/24', remoteAs: null, dynamicRange: '10.0.0.0/24' },
      ({ session, range }) => [session.address, session.remoteAs, range],
      ['10.0.0.0/24', undefined, { prefix: '10.0.0.0/24', limit: 100 }],
    ],
  ]
  for (const [title, given, of, expected] of ofNeighbour) {
    test(`of a neighbour: ${title}`, () => assert.deepEqual(of(neighbour(given)), expected))
  }

  test('filters by name and where they are used count as one, in their order', () => {
    const accept = { action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { max: 26 } }
    const reject = { action: 'Reject' }
    const { neighbours } = read({
      filters: { pods: { exportV4: [accept] } },
      neighbors: [{ ...PEER, filters: ['pods', { exportV4: [reject], importV6: [reject] }] }],
    })
    assert.deepEqual(neighbours[0]!.filters, {
      importV4: [],
      exportV4: [accept, reject],
      importV6: [reject],
      exportV6: [],
    })
  })
})

describe('what is refused, and how', () => {
  const of = (given: Json) => ({ ...LEAST, neighbors: [{ ...PEER, ...given }] })
  const rule = (given: Json, direction = 'exportV4') => ({ ...LEAST, filters: { f: { [direction]: [given] } } })
  const at = 'neighbors[0]'

  const refused: readonly [unknown, string][] = [
    [undefined, 'It is undefined, expected an object as { routerId: "10.0.0.1", as: 64512, neighbors: [ … ] }'],
    [[], 'It is an empty list, expected an object as { routerId: "10.0.0.1", as: 64512, neighbors: [ … ] }'],
    [{ as: 1 }, 'routerId is missing, expected an identifier as "10.0.0.1", not "0.0.0.0", or "hash" of the name'],
    [{ routerId: '1.1.1.1' }, 'as is missing, expected a number from 1 to 4294967295'],
    [{ ...LEAST, routerId: '0.0.0.0' }, 'routerId is "0.0.0.0", expected an identifier as "10.0.0.1", not "0.0.0.0"'],
    [{ ...LEAST, routerId: 'hash' }, 'routerId is "hash", which needs a name'],
    [{ ...LEAST, as: 4294967296 }, 'as is 4294967296, expected a number from 1 to 4294967295'],
    [{ ...LEAST, as: 1.5 }, 'as is 1.5, expected a number from 1 to 4294967295'],
    [{ ...LEAST, as: '64512' }, 'as is "64512", expected a number from 1 to 4294967295'],
    [{ ...LEAST, listenport: 1 }, 'listenport is not known; did you mean "listenPort"?'],
    [{ ...LEAST, listenPort: 0 }, 'listenPort is 0, expected a number from 1 to 65535'],
    [{ ...LEAST, listenAddress: '224.0.0.1' }, 'listenAddress is "224.0.0.1", which is no host\'s address'],
    [{ ...LEAST, listenAddress: [] }, 'listenAddress is an empty list, expected a list of addresses'],
    [
      { ...LEAST, networks: ['10.1.2.3/24'] },
      'networks[0] is "10.1.2.3/24", which has host bits set; the prefix is "10.1.2.0/24"',
    ],
    [
      { ...LEAST, networks: ['10.1.0.0'] },
      'networks[0] is "10.1.0.0", expected a prefix as "10.244.1.0/26" or "fd44:1::/122"',
    ],
    [
      { ...LEAST, networks: [5] },
      'networks[0] is 5, expected a prefix as "10.244.1.0/26" or "fd44:1::/122", or { prefix: "10.244.1.0/26" }',
    ],
    [{ ...LEAST, networks: ['fd00::/64', 'fd00:0::/64'] }, 'networks[1] is "fd00::/64", as that of networks[0]'],
    [
      { ...LEAST, networks: ['fd00::/64'], families: ['ipv4'] },
      'networks[0] is "fd00::/64", whose family the top-level families lack',
    ],
    [{ ...LEAST, families: [] }, 'families is an empty list, expected a list of "ipv4" and "ipv6"'],
    [{ ...LEAST, families: ['ipv4', 'ipv4'] }, 'families has "ipv4" twice'],
    [{ ...LEAST, families: ['ipv5'] }, 'families[0] is "ipv5"; did you mean "ipv4"? (ipv4, ipv6)'],
    [{ ...LEAST, kernel: { protocol: 4 } }, 'kernel.protocol is 4, expected a number from 5 to 255'],
    [{ ...LEAST, kernel: { table: 255 } }, "kernel.table is 255, which is the kernel's own"],
    [of({ holdTime: 2 }), `${at}.holdTime is 2, expected 0, or a number from 3 to 65535`],
    [of({ holdtime: 9 }), `${at}.holdtime is not known; did you mean "holdTime"?`],
    [of({ ttlSecurity: 255 }), `${at}.ttlSecurity is 255, expected a number from 1 to 254`],
    [of({ multihop: 0 }), `${at}.multihop is 0, expected a number from 1 to 255`],
    [of({ port: 65536 }), `${at}.port is 65536, expected a number from 1 to 65535`],
    [of({ passive: 'yes' }), `${at}.passive is "yes", expected true or false`],
    [
      of({ remoteAs: null }),
      `${at}.remoteAs is missing, expected a number from 1 to 4294967295; only with dynamicRange it may be any`,
    ],
    [of({ address: null }), `${at}.address is missing, expected an IPv4 or IPv6 address`],
    [of({ address: 'fe80::1%eth0' }), `${at}.address is "fe80::1%eth0", expected an IPv4 or IPv6 address`],
    [of({ address: '10.0.0.0/24' }), `${at}.address is the prefix "10.0.0.0/24", which needs the member dynamicRange`],
    [
      of({ address: '10.0.0.0/24', dynamicRange: '10.0.1.0/24' }),
      `${at}.address is "10.0.0.0/24", and dynamicRange is "10.0.1.0/24"`,
    ],
    [of({ dynamicRange: '10.0.1.0/24' }), `${at}.address is not in dynamicRange "10.0.1.0/24"`],
    [of({ localAddress: 'fd00::1' }), `${at}.localAddress is "fd00::1", which is not of the family of "10.0.0.2"`],
    [
      { ...of({ families: ['ipv6'] }), families: ['ipv4'] },
      `${at}.families has "ipv6", which the top-level families lack`,
    ],
    [of({ longLivedGR: { time: 10 } }), `${at}.longLivedGR needs gracefulRestart: RFC 9494 §4.1`],
    [of({ gracefulRestart: { time: 4096 } }), `${at}.gracefulRestart.time is 4096, expected a number from 0 to 4095`],
    [of({ nextHop: 'keep', nextHopSelf: true }), `${at}.nextHop is "keep", and nextHopSelf is true`],
    [of({ addPath: 'yes' }), `${at}.addPath is "yes"; (receive, send, both)`],
    [
      of({ communitiesOut: ['1:65536'] }),
      `${at}.communitiesOut[0] is "1:65536", expected a community as "65000:100" or "no-export"`,
    ],
    [
      of({ requireCapabilities: ['as5'] }),
      `${at}.requireCapabilities[0] is "as5"; did you mean "as4"? (as4, route-refresh, graceful-restart, enhanced-route-refresh)`,
    ],
    [of({ bfd: 1 }), `${at}.bfd is 1, expected true or false, or { minTx: 100, minRx: 100, multiplier: 3 }`],
    [of({ password: '' }), `${at}.password cannot be used, expected text of 1 to 80 octets`],
    [of({ password: 'x'.repeat(81) }), `${at}.password cannot be used, expected text of 1 to 80 octets`],
    [of({ password: 'ä'.repeat(41) }), `${at}.password cannot be used, expected text of 1 to 80 octets`],
    [
      of({ password: 'a', passwordFile: 'rack.key' }),
      `${at}.passwordFile is there beside password, expected one of them`,
    ],
    [of({ passwordFile: 'no.key' }), `${at}.passwordFile "no.key" cannot be read: ENOENT`],
    [of({ passwordFile: 'long.key' }), `${at}.passwordFile "long.key" cannot be used, expected text of 1 to 80 octets`],
    [
      of({ passwordFile: 'empty.key' }),
      `${at}.passwordFile "empty.key" cannot be used, expected text of 1 to 80 octets`,
    ],
    [{ ...LEAST, neighbors: [PEER, PEER] }, 'neighbors[1].address is "10.0.0.2", as that of neighbors[0]'],
    [
      { ...of({ filters: ['rakc'] }), filters: { rack: {} } },
      `${at}.filters[0] is "rakc", which is not in filters; did you mean "rack"? (rack)`,
    ],
    [rule({ action: 'reject' }), 'filters.f.exportV4[0].action is "reject"; did you mean "Reject"? (Accept, Reject)'],
    [
      rule({ action: 'Accept', cidr: '10.0.0.0/8' }),
      'filters.f.exportV4[0] means nothing: cidr "10.0.0.0/8" needs a matchOperator',
    ],
    [
      rule({ action: 'Accept', cidr: 'fd00::/8', matchOperator: 'In' }),
      'filters.f.exportV4[0] has "fd00::/8", which is no IPv4 prefix',
    ],
    [
      rule({ action: 'Accept', prefixList: [{ action: 'permit', prefix: '10.0.0.0/8' }] }, 'importV6'),
      'filters.f.importV6[0] has "10.0.0.0/8", which is no IPv6 prefix',
    ],
    [
      rule({ action: 'Reject', operations: [{ setMed: { value: 1 } }] }),
      'filters.f.exportV4[0] means nothing: operations are for routes that are accepted',
    ],
    [
      rule({ action: 'Accept', operations: [{ setMed: { value: 1 }, setLocalPref: { value: 1 } }] }),
      'filters.f.exportV4[0].operations[0] is not one thing, expected an operation, as { addCommunity: { value: "65000:100" } }',
    ],
    [
      rule({ action: 'Accept', communities: { values: ['65000'] } }),
      'filters.f.exportV4[0] means nothing: Cannot parse "65000" as a community: it is two numbers up to 65535, or a well-known name',
    ],
    [
      rule({ action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 4 } }),
      'filters.f.exportV4[0] means nothing: Cannot match lengths up to 4 inside "10.0.0.0/8": they are from 8 to 32',
    ],
  ]
  for (const [value, says] of refused) test(says, () => assert.deepEqual(problems(value), [says]))

  test('everything that is wrong is told at once', () => {
    assert.deepEqual(
      problems({
        routerId: 1,
        as: 0,
        neighbors: [
          { ...PEER, port: 0 },
          { ...PEER, prot: 1 },
        ],
      }),
      [
        'routerId is 1, expected an identifier as "10.0.0.1", not "0.0.0.0"',
        'as is 0, expected a number from 1 to 4294967295',
        'neighbors[0].port is 0, expected a number from 1 to 65535',
        'neighbors[1].prot is not known; did you mean "port"?',
      ],
    )
  })

  test('a password is never repeated', () => {
    for (const password of ['hush'.repeat(30), 7777777, ['hush']]) {
      assert.doesNotMatch(problems(of({ password })).join('\n'), /hush|7777777/)
    }
  })

  test('names that every object has are no members', () => {
    assert.deepEqual(problems(JSON.parse(`{"routerId":"1.1.1.1","as":1,"neighbors":[],"__proto__":{}}`)).length, 1)
    assert.equal(problems({ ...LEAST, toString: 1 }).length, 1)
  })
})
