/** block-ipam as a runtime calls it, by a directory and by a daemon's socket. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { CniCode } from '../../src/cni/errors.ts'
import type { Host } from '../../src/cni/host.ts'
import type { Request, Surroundings } from '../../src/cni/plugin.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { type BlockIpamConfig, parseBlockIpamConfig } from '../../src/plugins/block-ipam/config.ts'
import { blockIpam } from '../../src/plugins/block-ipam.ts'
import { createPool } from '../../src/pool/pools.ts'
import { answerTo } from '../../src/pool/requests.ts'
import { formatResponse, parseRequest, refusalOf } from '../../src/pool/socket-protocol.ts'
import { carryOutNow, type Steps } from '../../src/pool/steps.ts'
import { PromptFileStore } from '../../src/store/file/prompt.ts'
import { World } from '../pool/world.ts'
import { ipamOf } from '../support/attachment.ts'
import { networkConfig } from '../support/configuration.ts'
import { memoryHost } from '../support/memory-host.ts'

/** It asks no kernel. */
function surroundingsOf(host: Host): Surroundings {
  const nobody = ipamOf(new Error('There is no other plugin'))
  return {
    host,
    ipam: nobody,
    delegateTo: () => nobody,
    get kernel(): Kernel {
      throw new Error('It was asked for a kernel')
    },
  }
}

interface Place {
  readonly host: Host
  readonly ipam: object
  do<T>(steps: Steps<T>): T
}

const places: Readonly<Record<string, () => Place>> = {
  'a directory': () => {
    const host = memoryHost()
    const store = () =>
      new PromptFileStore({
        directory: '/store',
        files: { ...host.files, tryLock: host.files.lock },
        clock: { now: host.now, elapsed: host.monotonic },
        newId: () => 'a1',
        report: assert.fail,
      })
    return { host, ipam: { store: '/store', node: 'n1' }, do: (steps) => carryOutNow(steps, store()) }
  },
  "a daemon's socket": () => {
    const world = new World()
    const answer = (line: string) => {
      try {
        return formatResponse(world.do(answerTo(parseRequest(line), { node: 'n1', labels: {} })))
      } catch (error) {
        return formatResponse({ error: refusalOf(error) })
      }
    }
    const host = memoryHost({ sockets: { '/run/pool.sock': answer } })
    return { host, ipam: { socket: '/run/pool.sock' }, do: (steps) => world.do(steps) }
  },
}

for (const [name, open] of Object.entries(places)) {
  describe(`by ${name}`, () => {
    const K8S = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=1'

    function begin(members: object = {}) {
      const place = open()
      place.do(createPool({ cidr: '10.244.0.0/28', blockSize: 30 }))
      place.do(createPool({ cidr: 'fd00:244::/124', blockSize: 126 }))
      const surroundings = surroundingsOf(place.host)
      const config = (prevResult?: object): BlockIpamConfig =>
        parseBlockIpamConfig(networkConfig({ ipam: { ...place.ipam, ...members }, ...(prevResult && { prevResult }) }))
      const request = (
        containerId: string,
        more: Partial<Request<BlockIpamConfig>> = {},
      ): Request<BlockIpamConfig> => ({
        containerId,
        ifName: 'eth0',
        netns: '',
        args: '',
        config: config(),
        ...more,
      })
      return {
        place,
        surroundings,
        config,
        request,
        add: (containerId: string, more: Partial<Request<BlockIpamConfig>> = {}) =>
          blockIpam.add(request(containerId, more), surroundings).ips.map(({ address }) => address),
        del: (containerId: string) => blockIpam.del(request(containerId), surroundings),
      }
    }

    test('ADD gives an address alone, of each family that is asked for; DEL gives it back, twice', () => {
      const { add, del } = begin({ assign_ipv6: 'true' })
      const [four, six] = add('c1')
      assert.match(four!, /^10\.244\.0\.\d+\/32$/)
      assert.match(six!, /^fd00:244::[0-9a-f]*\/128$/)
      assert.notEqual(add('c2')[0], four)
      del('c1')
      del('c1')
      // Whoever asks twice has not heard the answer.
      assert.deepEqual(add('c3'), add('c3'))
    })

    test('an address that is asked for is given, or refused as taken', () => {
      const { add } = begin()
      assert.deepEqual(add('c1', { args: 'IP=10.244.0.9' }), ['10.244.0.9/32'])
      assert.throws(() => add('c2', { args: 'IP=10.244.0.9' }), { code: CniCode.conflict })
      assert.throws(() => add('c2', { args: 'IP=192.0.2.1' }), { code: CniCode.conflict, message: /no pool/ })
      assert.throws(() => add('c2', { args: 'IP=nonsense' }), { code: CniCode.invalidEnvironment })
    })

    test('what Kubernetes tells of the container stands beside the address', () => {
      const { add, place } = begin()
      add('c1', { args: K8S })
      const { host } = place
      const text = 'tree' in host ? JSON.stringify((host as unknown as { tree(): unknown }).tree()) : ''
      if (name === 'a directory') for (const part of ['shop', 'web-0', 'c1']) assert.ok(text.includes(part), part)
    })

    test('CHECK finds an address that is lost', () => {
      const { add, del, request, surroundings, config } = begin()
      const [address] = add('c1')
      const check = (ips: readonly object[]) =>
        blockIpam.check(request('c1', { config: config({ cniVersion: '1.1.0', ips }) }), surroundings)
      check([{ address }])
      assert.throws(() => check([{ address: '192.0.2.1/32' }]), { code: CniCode.notAsPromised })
      del('c1')
      assert.throws(() => check([{ address }]), { code: CniCode.notAsPromised })
    })

    test('GC releases what no valid attachment has, of this network alone', () => {
      const { add, config, surroundings, place } = begin()
      const [kept] = add('c1')
      add('c2')
      const other = parseBlockIpamConfig(networkConfig({ name: 'wan', ipam: place.ipam }))
      add('c3', { config: other })
      blockIpam.gc!({ config: config(), validAttachments: [{ containerId: 'c1', ifName: 'eth0' }] }, surroundings)
      // 4 addresses in a block: two are taken, so two more fit before another block is needed.
      assert.deepEqual(add('c1'), [kept])
      const held = (network: string, containerId: string) =>
        place.do(
          answerTo({ verb: 'list', network, attachment: { containerId, ifName: 'eth0' } }, { node: 'n1', labels: {} }),
        ).assigned.length
      assert.deepEqual([held('lan', 'c1'), held('lan', 'c2'), held('wan', 'c3')], [1, 0, 1])
    })

    test('STATUS and ADD say so when nothing is left', () => {
      const { add, config, surroundings } = begin()
      const status = () => blockIpam.status!({ config: config() }, surroundings)
      status()
      for (let n = 0; n < 16; n++) add(`c${n}`)
      assert.throws(status, { code: CniCode.notAvailable, message: /full/ })
      assert.throws(() => add('more'), { code: CniCode.exhausted, message: /no block of 10\.244\.0\.0\/28 is left/ })
    })

    test('pools can be chosen', () => {
      const { add } = begin({ ipv4_pools: ['192.0.2.0/24'] })
      assert.throws(() => add('c1'), { code: CniCode.exhausted, message: /no IPv4 pool of 192\.0\.2\.0\/24/ })
    })
  })
}

test('nobody at the socket is told as such, with a hint, and that it may be tried again', () => {
  const config = parseBlockIpamConfig(networkConfig({ ipam: { socket: '/run/none.sock' } }))
  const surroundings = surroundingsOf(memoryHost())
  assert.throws(() => blockIpam.status!({ config }, surroundings), {
    code: CniCode.notAvailable,
    message: /daemon running/,
  })
  const request = { containerId: 'c1', ifName: 'eth0', netns: '', args: '', config }
  assert.throws(() => blockIpam.add(request, surroundings), { code: CniCode.tryAgainLater })
})

test("the machine's name is the node's where none is given", () => {
  const host = memoryHost({ files: { '/proc/sys/kernel/hostname': 'Worker-1\n' } })
  const config = parseBlockIpamConfig(networkConfig({ ipam: { store: '/store' } }))
  const surroundings = surroundingsOf(host)
  assert.throws(() => blockIpam.status!({ config }, surroundings), { message: /node "worker-1"/ })
})

for (const [ipam, message] of [
  [{ assign_ipv4: false }, /no address/],
  [{ store: '/a', socket: '/b' }, /both/],
  [{ store: 'relative' }, /absolute/],
  [{ ipv4_pools: ['nonsense'] }, /ipv4_pools/],
  [{ assign_ipv6: 'perhaps' }, /assign_ipv6/],
] as const) {
  test(`${JSON.stringify(ipam)} is refused`, () => {
    assert.throws(() => parseBlockIpamConfig(networkConfig({ ipam })), { message })
  })
}
