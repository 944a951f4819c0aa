/** The verbs of flannel that are for a whole network, with delegates that remember what they were asked. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { commands, DATA_DIR, type FlannelNode, flannelNode, minimal, SUBNET_FILE } from './node.ts'

describe('STATUS', () => {
  test('asks the delegate', () => {
    const node = flannelNode()
    assert.equal(node.ask('STATUS').status, 0)
    assert.deepEqual(commands(node), ['STATUS -'])
    node.failing.add('STATUS')
    assert.equal(node.ask('STATUS').json.msg, 'STATUS fails')
  })

  for (const [what, subnetEnv] of [
    ['is not there', null],
    ['is not complete', 'FLANNEL_MTU=1450\n'],
  ] as const) {
    test(`is "not available" while subnet.env ${what}`, () => {
      const node = flannelNode({ subnetEnv })
      const { status, json } = node.ask('STATUS')
      assert.deepEqual([status, json.code, node.received], [1, 50, []])
      assert.match(json.msg, /^failed to load flannel 'subnet.env' file: /)
    })
  }

  test('is "not available" when the delegate is not installed', () => {
    const { json } = flannelNode({ delegates: [] }).ask('STATUS')
    assert.equal(json.code, 50)
    assert.match(json.msg, /^Cannot find plugin "bridge"/)
  })

  test('is "not available" when no scratch file could be written', () => {
    const node = flannelNode()
    node.write('/var/lib/cni', '')
    const { json } = node.ask('STATUS')
    assert.equal(json.code, 50)
    assert.match(json.msg, /"\/var\/lib\/cni" is no directory/)
  })
})

describe('GC', () => {
  const gc = (node: FlannelNode, ...valid: [string, string][]) => {
    node.received.length = 0
    const attachments = valid.map(([containerID, ifname]) => ({ containerID, ifname }))
    return node.ask('GC', { configuration: { ...minimal, 'cni.dev/valid-attachments': attachments } })
  }

  test("detaches the network's stale attachments, and has the delegate clean up", () => {
    const node = flannelNode()
    for (const containerId of ['c1', 'c2'])
      for (const ifName of ['eth0', 'net1']) node.ask('ADD', { containerId, ifName })
    node.ask('ADD', { containerId: 'c3', configuration: { ...minimal, name: 'other' } })
    assert.equal(gc(node, ['c1', 'net1']).status, 0)
    const asked = node.received.map(({ command, containerId, ifName, netns }) => [command, containerId, ifName, netns])
    assert.deepEqual(asked.slice(0, 3).sort(), [
      ['DEL', 'c1', 'eth0', undefined],
      ['DEL', 'c2', 'eth0', undefined],
      ['DEL', 'c2', 'net1', undefined],
    ])
    assert.deepEqual(asked.slice(3), [['GC', undefined, undefined, undefined]])
    assert.deepEqual(node.received[3]!.configuration['cni.dev/valid-attachments'], [
      { containerID: 'c1', ifname: 'net1' },
    ])
    assert.deepEqual(Object.keys(node.scratches()).sort(), ['c1:net1', 'c3'])
  })

  test('takes no list for an empty one', () => {
    const node = flannelNode()
    node.ask('ADD')
    node.ask('GC')
    assert.deepEqual(node.scratches(), {})
  })

  test("removes flannel's scratch files of containers without any valid attachment, once the delegate has cleaned up", () => {
    const node = flannelNode()
    for (const name of ['c1', 'c2']) node.write(`${DATA_DIR}/${name}`, '{"name":"cni-flannel","type":"bridge","x":1}')
    node.failing.add('GC')
    assert.equal(gc(node, ['c1', 'net1']).json.msg, 'GC fails')
    assert.deepEqual(Object.keys(node.scratches()).sort(), ['c1', 'c2'])
    node.failing.clear()
    assert.equal(gc(node, ['c1', 'net1']).status, 0)
    assert.deepEqual(
      node.received.map(({ command, configuration }) => [command, configuration.x]),
      [
        ['GC', undefined],
        ['GC', 1],
      ],
    )
    assert.deepEqual(Object.keys(node.scratches()), ['c1'])
  })

  test('goes on when one cannot be detached, keeps that one, and says so', () => {
    const node = flannelNode()
    for (const containerId of ['c1', 'c2']) node.ask('ADD', { containerId })
    node.failing.add('DEL')
    assert.equal(gc(node).json.msg, 'DEL fails')
    assert.deepEqual(commands(node), ['DEL eth0', 'DEL eth0', 'GC -'])
    assert.deepEqual(Object.keys(node.scratches()).sort(), ['c1', 'c2'])
  })

  test('works without subnet.env by what the attachments were given; with neither it says that it cannot', () => {
    const node = flannelNode()
    node.ask('ADD', { configuration: { ...minimal, cniVersion: '1.0.0', runtimeConfig: { mac: '02:00:00:00:00:01' } } })
    node.host.files.remove(SUBNET_FILE)
    assert.equal(gc(node, ['c1', 'eth0']).status, 0)
    const { configuration } = node.received[0]!
    assert.deepEqual([configuration.cniVersion, configuration.runtimeConfig], ['1.1.0', undefined])
    node.ask('DEL')
    assert.match(gc(node).json.msg, /no such file or directory/)
  })

  test('leaves alone what is no scratch file of this network', () => {
    const node = flannelNode()
    const foreign = {
      c7: '',
      '.hidden': '{"name":"cni-flannel","type":"bridge"}',
      c8: '{"name":"other","type":"bridge"}',
    }
    for (const [name, text] of Object.entries(foreign)) node.write(`${DATA_DIR}/${name}`, text)
    node.write(`${DATA_DIR}/folder/c9`, '{}')
    assert.equal(gc(node).status, 0)
    assert.deepEqual(node.scratches(), { ...foreign, 'folder/c9': '{}' })
  })

  test('forgets whose a scratch file was that somebody else has removed', () => {
    const node = flannelNode()
    node.ask('ADD')
    node.host.files.remove(`${DATA_DIR}/c1`)
    gc(node)
    assert.deepEqual(
      Object.keys(node.host.tree()).filter((path) => path.startsWith('/run/overlab')),
      [],
    )
  })
})
