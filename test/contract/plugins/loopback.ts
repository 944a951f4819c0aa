/** What loopback does for a container. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { cniVersions } from '../../../src/cni/version.ts'
import { loopback } from '../../../src/plugins/loopback.ts'
import { call } from '../../support/run-plugin.ts'
import type { Node, Nodes } from './node.ts'

export function loopbackContract({ name, setUp }: Nodes): void {
  describe(`loopback on ${name}`, () => {
    let node: Node
    let path: string
    beforeEach(() => {
      node = setUp()
      path = node.kernel.namespaces.add('c1')
    })
    afterEach(() => node.tearDown())

    /** The container, and how to call the plugin for it. */
    function begin() {
      const container = node.kernel.enter(path)!
      const run = (verb: string, members: object = {}, netns = path) =>
        call(loopback, {
          kernel: node.kernel,
          environment: { CNI_COMMAND: verb, CNI_CONTAINERID: 'c1', CNI_NETNS: netns, CNI_IFNAME: 'eth0' },
          stdin: { cniVersion: '1.1.0', name: 'lan', type: 'loopback', ...members },
        })
      return { container, run }
    }

    for (const cniVersion of cniVersions) {
      test(`ADD sets lo up and tells of it in the newest shape, asked in ${cniVersion}`, () => {
        const { container, run } = begin()
        const { status, json } = run('ADD', { cniVersion })
        assert.equal(status, 0)
        assert.equal(container.links.get('lo')!.up, true)
        assert.deepEqual(json, {
          cniVersion,
          interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, sandbox: path }],
          ips: [
            { interface: 0, address: '127.0.0.1/8' },
            { interface: 0, address: '::1/128' },
          ],
        })
      })
    }

    test('ADD tells of it in the oldest shape where the configuration names no version', () => {
      assert.deepEqual(begin().run('ADD', { cniVersion: '' }).json, {
        cniVersion: '0.1.0',
        ip4: { ip: '127.0.0.1/8' },
        ip6: { ip: '::1/128' },
        dns: {},
      })
    })

    test('ADD succeeds twice', () => {
      const { run } = begin()
      assert.equal(run('ADD').stdout, run('ADD').stdout)
    })

    test('ADD tells the first address of each family', () => {
      const { container, run } = begin()
      container.addresses.add({ link: 'lo', prefix: '127.1.1.1/8' })
      assert.deepEqual(
        run('ADD').json.ips.map(({ address }: { address: string }) => address),
        ['127.1.1.1/8', '::1/128'],
      )
    })

    test("ADD hands on the result before it, in the configuration's shape", () => {
      const { container, run } = begin()
      const prevResult = { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.2.3/24' }], dns: {} }
      assert.deepEqual(run('ADD', { cniVersion: '0.4.0', prevResult }).json, prevResult)
      assert.equal(container.links.get('lo')!.up, true)
    })

    for (const address of ['10.1.2.3/24', 'fd00::1/64', '::2/128']) {
      test(`ADD refuses ${address} on lo and sets it down again`, () => {
        const { container, run } = begin()
        container.addresses.add({ link: 'lo', prefix: address, noDad: address.includes(':') })
        const { json } = run('ADD')
        assert.equal(json.code, 102)
        assert.match(json.msg, new RegExp(`it has the address ${address}, remove`))
        assert.equal(container.links.get('lo')!.up, false)
      })
    }

    describe('CHECK', () => {
      const added = () => {
        const { container, run } = begin()
        const prevResult = run('ADD').json
        return { container, run: () => run('CHECK', { prevResult }), bare: () => run('CHECK') }
      }

      test('succeeds after ADD', () => assert.equal(added().run().stdout, ''))
      test('succeeds without a result to compare with', () => assert.equal(added().bare().status, 0))
      test('notices that lo is down', () => {
        const { container, run } = added()
        container.links.set('lo', { up: false })
        const { json } = run()
        assert.equal(json.code, 101)
        assert.match(json.msg, /"lo" is not as it was, it is down$/)
      })
      for (const address of ['127.0.0.1/8', '::1/128']) {
        test(`notices that ${address} is gone`, () => {
          const { container, run } = added()
          container.addresses.delete({ link: 'lo', prefix: address })
          const { json } = run()
          assert.equal(json.code, 101)
          assert.match(json.msg, new RegExp(`it has lost its address ${address}$`))
        })
      }
      test('leaves alone an address that somebody added', () => {
        const { container, run } = added()
        container.addresses.add({ link: 'lo', prefix: '10.9.9.9/32' })
        assert.equal(run().status, 0)
      })
      test('leaves other interfaces of the result alone', () => {
        const { run } = begin()
        run('ADD')
        const interfaces = [{ name: 'eth0', sandbox: path }, { name: 'lo' }]
        const ips = [
          { address: '10.1.2.3/24', interface: 0 },
          { address: '10.1.2.4/24', interface: 1 },
          { address: '10.1.2.5/24' },
        ]
        assert.equal(run('CHECK', { prevResult: { interfaces, ips } }).status, 0)
      })
    })

    test('DEL sets lo down, and succeeds twice', () => {
      const { container, run } = begin()
      run('ADD')
      assert.deepEqual([run('DEL').status, run('DEL').status], [0, 0])
      assert.equal(container.links.get('lo')!.up, false)
    })

    for (const netns of ['', '/run/netns/gone']) {
      test(`DEL succeeds when the namespace is "${netns}"`, () => assert.equal(begin().run('DEL', {}, netns).status, 0))
    }

    describe('a namespace that is none is refused', () => {
      for (const verb of ['ADD', 'CHECK']) {
        test(`by ${verb}: missing, code 3`, () => {
          const { json } = begin().run(verb, {}, '/run/netns/gone')
          assert.equal(json.code, 3)
          assert.match(json.msg, /^Cannot open CNI_NETNS "\/run\/netns\/gone": nothing is there/)
        })
      }
      for (const verb of ['ADD', 'CHECK', 'DEL']) {
        test(`by ${verb}: a directory, code 4`, () => {
          const { json } = begin().run(verb, {}, '/')
          assert.equal(json.code, 4)
          assert.match(json.msg, /^Cannot use CNI_NETNS "\/": it is no network namespace$/)
        })
      }
    })

    for (const verb of ['GC', 'STATUS']) {
      test(`${verb} has nothing to do and succeeds`, () => {
        const { status, stdout } = call(loopback, {
          environment: { CNI_COMMAND: verb, CNI_PATH: '/opt/cni/bin' },
          stdin: { cniVersion: '1.1.0', name: 'lan', type: 'loopback' },
        })
        assert.deepEqual([status, stdout], [0, ''])
      })
    }
  })
}
