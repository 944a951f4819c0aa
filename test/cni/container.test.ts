import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import {
  deleteLink,
  getContainer,
  hostVethName,
  interfaceOf,
  isHostVethName,
  openContainer,
  removeVeth,
  requestedMac,
} from '../../src/cni/container.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { createModel } from '../../src/model/create.ts'
import { jsonOf, networkConfig } from '../support/configuration.ts'

const PATH = '/run/netns/c1'
const attachment = { containerId: 'c1', ifName: 'eth0' }
const request = { ...attachment, netns: PATH, args: '', config: networkConfig({}) }

describe('the namespace of the container', () => {
  const node = createModel()
  const container = node.enter(node.namespaces.add('c1'))!

  test('is opened', () => {
    assert.ok(openContainer(request, node).sameNamespace(container))
    assert.ok(getContainer(request, node)!.sameNamespace(container))
  })
  for (const netns of ['', '/run/netns/gone']) {
    test(`is missing at "${netns}": no reason for DEL to fail, code 3 for ADD`, () => {
      assert.equal(getContainer({ ...request, netns }, node), undefined)
      assert.throws(() => openContainer({ ...request, netns }, node), { code: 3 })
    })
  }
  test('is no directory', () => {
    assert.throws(() => getContainer({ ...request, netns: '/' }, node), { code: 4 })
  })
  test('is not opened for reasons that the kernel gives', () => {
    const refusing = {
      enter() {
        throw new KernelError('EACCES', 'open it')
      },
    } as unknown as Kernel
    assert.throws(() => getContainer(request, refusing), { name: 'KernelError', errno: 'EACCES' })
  })
})

describe("the name of the node's end", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,63}$/)

  test('is one that Linux takes, the same each time, and tells the network', () => {
    fc.assert(
      fc.property(name, name, name, (network, containerId, ifName) => {
        const host = hostVethName(network, { containerId, ifName })
        assert.match(host, /^veth[0-9a-v]{11}$/)
        assert.equal(hostVethName(network, { containerId, ifName }), host)
        assert.ok(isHostVethName(host, network))
      }),
    )
  })
  test('differs by network, container and interface', () => {
    const names = ['a', 'b'].flatMap((network) =>
      ['c1', 'c2'].flatMap((containerId) =>
        ['eth0', 'eth1'].map((ifName) => hostVethName(network, { containerId, ifName })),
      ),
    )
    assert.equal(new Set(names).size, 8)
  })
  test('is not one that the reference gives, nor one of another network', () => {
    assert.equal(isHostVethName('veth1a2b3c4d', 'lan'), false)
    assert.equal(isHostVethName(hostVethName('wan', attachment), 'lan'), false)
    assert.equal(isHostVethName('eth0', 'lan'), false)
  })
})

describe('removeVeth()', () => {
  const end = hostVethName('lan', attachment)
  function joined() {
    const node = createModel()
    const container = node.enter(node.namespaces.add('c1'))!
    node.links.add({ kind: 'veth', name: end, peer: { name: 'eth0', namespace: container } })
    return { node, container }
  }

  test("removes the container's end, and with it the node's", () => {
    const { node, container } = joined()
    removeVeth(request, node, container)
    assert.equal(container.links.get('eth0'), undefined)
    assert.equal(node.links.get(end), undefined)
  })
  test("removes the node's end when the namespace cannot be entered", () => {
    const { node } = joined()
    removeVeth(request, node, undefined)
    assert.equal(node.links.get(end), undefined)
  })
  test('succeeds when there is neither', () => {
    const { node, container } = joined()
    node.links.delete(end)
    removeVeth(request, node, container)
  })
})

test('deleteLink() says whether there was one, and passes other refusals on', () => {
  const node = createModel()
  node.links.add({ kind: 'bridge', name: 'br0' })
  assert.equal(deleteLink(node, 'br0'), true)
  assert.equal(deleteLink(node, 'br0'), false)
  const refusing = {
    links: {
      delete() {
        throw new KernelError('EPERM', 'delete link')
      },
    },
  } as unknown as Kernel
  assert.throws(() => deleteLink(refusing, 'lo'), { errno: 'EPERM' })
})

test('interfaceOf() tells of a link as a result does', () => {
  const lo = createModel().links.get('lo')!
  assert.deepEqual(interfaceOf(lo), { name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536 })
  assert.deepEqual(interfaceOf(lo, PATH), { name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, sandbox: PATH })
})

describe('requestedMac()', () => {
  const a = '02:00:00:00:00:0a'
  const cni = { args: { cni: { mac: '02-00-00-00-00-0B' } } }
  const runtime = { runtimeConfig: { mac: '0200.0000.000c' } }
  const rows = [
    { name: 'has no wish', args: {}, config: {}, mac: undefined },
    { name: 'takes CNI_ARGS', args: { MAC: a }, config: {}, mac: a },
    { name: 'prefers args.cni', args: { MAC: a }, config: cni, mac: '02:00:00:00:00:0b' },
    {
      name: 'prefers runtimeConfig to both',
      args: { MAC: a },
      config: { ...cni, ...runtime },
      mac: '02:00:00:00:00:0c',
    },
    { name: 'passes over empty ones', args: { MAC: a }, config: { runtimeConfig: { mac: '' } }, mac: a },
  ]
  for (const { name, args, config, mac } of rows) {
    test(name, () => assert.equal(requestedMac(args, jsonOf(config)), mac))
  }
  test('refuses what is no MAC, naming the place', () => {
    assert.throws(() => requestedMac({ MAC: 'x' }, jsonOf({})), {
      code: 4,
      message: /^Cannot use CNI_ARGS: MAC: "x" is no MAC/,
    })
    assert.throws(() => requestedMac({}, jsonOf({ runtimeConfig: { mac: 'x' } })), {
      code: 7,
      message: /^Cannot use "runtimeConfig.mac": "x" is no MAC/,
    })
  })
})
