/** What flannel does on a node with our bridge and host-local, all in one process: seen through iproute2. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import type { Plugin } from '../../../src/cni/plugin.ts'
import { runPlugin } from '../../../src/cni/skel.ts'
import { KernelError } from '../../../src/kernel/errors.ts'
import { bridge } from '../../../src/plugins/bridge.ts'
import { flannel } from '../../../src/plugins/flannel.ts'
import { hostLocal } from '../../../src/plugins/host-local.ts'
import { Exit } from '../../support/memory-host.ts'
import type { Node, Nodes } from './node.ts'

const DIRECTORY = '/run/flannel-contract'
const SUBNET_FILE = `${DIRECTORY}/subnet.env`
const SCRATCHES = `${DIRECTORY}/scratch`
const RESERVATIONS = `${DIRECTORY}/networks`

const dual = [
  'FLANNEL_NETWORK=10.1.0.0/16',
  'FLANNEL_SUBNET=10.1.17.1/24',
  'FLANNEL_IPV6_NETWORK=fd00:5::/48',
  'FLANNEL_IPV6_SUBNET=fd00:5:0:17::1/64',
  'FLANNEL_MTU=1430',
  'FLANNEL_IPMASQ=true',
  '',
].join('\n')

const configuration = {
  cniVersion: '1.1.0',
  name: 'pods',
  type: 'flannel',
  subnetFile: SUBNET_FILE,
  dataDir: SCRATCHES,
  delegate: { isDefaultGateway: true },
  ipam: { dataDir: RESERVATIONS },
}

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was printed
  readonly json: any
}

export function flannelContract({ name, setUp }: Nodes): void {
  describe(`flannel on ${name}`, () => {
    let node: Node
    beforeEach(() => {
      node = setUp()
      node.host.files.makeDirectory(DIRECTORY, 0o755)
      node.host.files.write(SUBNET_FILE, dual, 0o644)
    })
    afterEach(() => {
      for (const directory of [SCRATCHES, `${RESERVATIONS}/pods`, DIRECTORY]) {
        for (const name of node.host.files.list(directory) ?? []) {
          if (node.host.files.status(`${directory}/${name}`)?.kind === 'file')
            node.host.files.remove(`${directory}/${name}`)
        }
      }
      node.tearDown()
    })

    /** As a runtime calls it, for eth0 of the container unless `ifName` is another. */
    function ask(
      verb: string,
      container: string,
      { ifName = 'eth0', ...members }: Record<string, unknown> = {},
      host = node.host,
    ): Answer {
      let stdout = ''
      let status = -1
      const { kernel, pluginDirectory } = node
      const forNetwork = verb === 'GC' || verb === 'STATUS'
      const environment = {
        CNI_COMMAND: verb,
        CNI_PATH: pluginDirectory,
        ...(!forNetwork && {
          CNI_CONTAINERID: container,
          CNI_IFNAME: `${ifName}`,
          CNI_NETNS: `/run/netns/${container}`,
        }),
      }
      const called = {
        ...host,
        environment,
        readStdin: () => host.encode(JSON.stringify({ ...configuration, ...members })),
        writeStdout(text: string) {
          stdout += text
        },
        exit(code: number): never {
          status = code
          throw new Exit(`exit ${code}`)
        },
        run: () => assert.fail('A plugin was executed'),
      }
      try {
        runPlugin(flannel, kernel, called, { delegates: [bridge, hostLocal] as readonly Plugin[] })
      } catch (error) {
        if (!(error instanceof Exit)) throw error
      }
      return { status, json: stdout === '' ? undefined : JSON.parse(stdout) }
    }

    function attach(container: string, members: Record<string, unknown> = {}) {
      if (!node.kernel.namespaces.list().includes(container)) node.kernel.namespaces.add(container)
      const { status, json } = ask('ADD', container, members)
      assert.equal(status, 0, json?.msg)
      return json
    }

    const inside = (container: string) => node.kernel.enter(`/run/netns/${container}`)!
    const veths = () => node.kernel.links.list().filter(({ kind }) => kind === 'veth')
    const scratches = () => (node.host.files.list(SCRATCHES) ?? []).sort()
    const reserved = () =>
      (node.host.files.list(`${RESERVATIONS}/pods`) ?? []).filter((name) => /^(?:10\.|fd00)/.test(name)).sort()

    test('attaches containers to the overlay, with what subnet.env says of the node', async () => {
      const { ips } = attach('c1')
      attach('c2')
      assert.deepEqual(
        ips.map(({ address, gateway }: Record<string, string>) => [address, gateway]),
        [
          ['10.1.17.2/24', '10.1.17.1'],
          ['fd00:5:0:17::2/64', 'fd00:5:0:17::1'],
        ],
      )
      assert.equal(inside('c1').links.get('eth0')!.mtu, 1430)
      for (const [family, network] of [
        ['-4', '10.1.0.0/16 via 10.1.17.1 dev eth0'],
        ['-6', 'fd00:5::/48 via fd00:5:0:17::1 dev eth0'],
      ] as const) {
        assert.ok((await node.run('ip', '-n', 'c1', family, 'route', 'show')).includes(network))
      }
      for (const target of ['10.1.17.3', 'fd00:5:0:17::3', '10.1.17.1']) {
        assert.equal((await inside('c1').ping(target, { timeout: 2000 })).outcome, 'reply', target)
      }
    })

    test('CHECK succeeds after ADD, and notices a route that somebody has deleted', async () => {
      const prevResult = attach('c1')
      assert.equal(ask('CHECK', 'c1', { prevResult }).status, 0)
      await node.run('ip', '-n', 'c1', 'route', 'del', '10.1.0.0/16')
      const { status, json } = ask('CHECK', 'c1', { prevResult })
      assert.deepEqual([status, json.code], [1, 101])
      assert.match(json.msg + json.details, /10\.1\.0\.0\/16/)
    })

    test('DEL leaves nothing of the container, and succeeds twice, also when its namespace is gone', () => {
      attach('c1')
      attach('c2')
      node.kernel.namespaces.delete('c2')
      for (const container of ['c1', 'c2', 'c1', 'c2']) assert.equal(ask('DEL', container).status, 0)
      assert.deepEqual([veths(), reserved(), scratches()], [[], [], []])
    })

    test('DEL that fails can be called again when the cause is gone', () => {
      attach('c1')
      const { host } = node
      const lock = () => {
        throw new KernelError('EIO', 'lock the reservations')
      }
      assert.equal(ask('DEL', 'c1', {}, { ...host, files: { ...host.files, lock } }).json.code, 5)
      assert.deepEqual([reserved().length, scratches()], [2, ['c1']])
      assert.equal(ask('DEL', 'c1').status, 0)
      assert.deepEqual([veths(), reserved(), scratches()], [[], [], []])
    })

    test('detaches two interfaces of one container', () => {
      attach('c1')
      attach('c1', { ifName: 'net1', delegate: { isGateway: true } })
      assert.equal(reserved().length, 4)
      for (const ifName of ['eth0', 'net1']) {
        assert.equal(ask('DEL', 'c1', { ifName }).status, 0)
        assert.equal(inside('c1').links.get(ifName), undefined)
      }
      assert.deepEqual([veths(), reserved(), scratches()], [[], [], []])
    })

    test('a failed ADD leaves nothing', () => {
      node.kernel.links.add({ kind: 'veth', name: 'cni0', peer: { name: 'other0' } })
      node.kernel.namespaces.add('c1')
      assert.equal(ask('ADD', 'c1').json.code, 102)
      node.kernel.links.delete('cni0')
      assert.deepEqual([veths(), reserved(), scratches()], [[], [], []])
    })

    test('GC removes what belongs to no valid attachment', () => {
      for (const container of ['c1', 'c2']) attach(container)
      const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c2', ifname: 'eth0' }] }
      assert.equal(ask('GC', '', valid).status, 0)
      assert.deepEqual([veths().length, reserved(), scratches()], [1, ['10.1.17.3', 'fd00:5:0:17::3'], ['c2']])
    })

    test("takes over what flannel's plugin has attached", () => {
      attach('c1')
      // Its note lies where ours does, and nobody knows whose it is.
      const text = node.host.files.read(`${SCRATCHES}/c1`)!
      node.host.files.write(`${SCRATCHES}/c1`, text, 0o600)
      assert.equal(ask('DEL', 'c1').status, 0)
      assert.deepEqual([veths(), reserved(), scratches()], [[], [], []])
    })

    test('STATUS says when the daemon has not come up, and when no address is left', () => {
      assert.equal(ask('STATUS', '').status, 0)
      node.host.files.write(SUBNET_FILE, dual.replace('10.1.17.1/24', '10.1.17.1/30'), 0o644)
      attach('c1')
      assert.equal(ask('STATUS', '').json.code, 50)
      node.host.files.remove(SUBNET_FILE)
      const { json } = ask('STATUS', '')
      assert.equal(json.code, 50)
      assert.match(json.msg, /subnet\.env: no such file/)
    })
  })
}
