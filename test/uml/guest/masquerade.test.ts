/** Masquerade on a node without nftables: this kernel has only iptables-legacy, which no nfnetlink shows. */
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { afterEach, beforeAll, describe, test } from 'vitest'
import { CniCode } from '../../../src/cni/errors.ts'
import { host } from '../../../src/linux/host.ts'
import { linux } from '../../../src/linux/linux.ts'
import { bridge } from '../../../src/plugins/bridge.ts'
import { ipamOf, leased, surroundingsOn } from '../../support/attachment.ts'
import { run } from '../../support/command.ts'
import { networkConfig } from '../../support/configuration.ts'
import { addContainer, attach } from '../../support/linux-attachment.ts'

const network = { isGateway: true, ipMasq: true }
const v4 = () => ipamOf(leased('10.1.2.5/24'))
const rules = () => run('iptables-legacy', '-t', 'nat', '-S')

beforeAll(() => {
  for (const name of ['iptable_nat', 'xt_MASQUERADE', 'xt_comment']) run('modprobe', '-d', process.env.WORK!, name)
  // What Debian's alternatives do on a node that has chosen iptables-legacy.
  mkdirSync('/run/legacy')
  for (const name of ['iptables', 'iptables-save', 'iptables-restore']) {
    symlinkSync('/usr/sbin/xtables-legacy-multi', `/run/legacy/${name}`)
  }
  process.env.PATH = `/run/legacy:${process.env.PATH}`
})

afterEach(() => {
  for (const name of linux.namespaces.list()) linux.namespaces.delete(name)
  for (const { name, kind } of linux.links.list()) if (kind === 'bridge') linux.links.delete(name)
})

describe('on a node without nftables', () => {
  test("ipMasq adds the reference's rules, CHECK notices when one is gone, and DEL removes them", () => {
    const { check, del } = attach(bridge, network, addContainer('c1'), { ipam: v4() })
    assert.match(rules(), /-A POSTROUTING -s 10\.1\.2\.5\/32 .*"name: \\"lan\\" id: \\"c1\\"" -j CNI-[0-9a-f]{24}/)
    check()
    run('iptables-legacy', '-t', 'nat', '-F', 'POSTROUTING')
    assert.throws(check, { code: CniCode.notAsPromised, message: /POSTROUTING -s 10\.1\.2\.5/ })
    del()
  })

  test('a second container joins the first, and GC removes the rules of the one that is stale', () => {
    const first = attach(bridge, network, addContainer('c1'), { ipam: v4() })
    attach(bridge, network, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
    const config = bridge.parseConfig(networkConfig({ ...network, ipam: { type: 'told' } }))
    const valid = [{ containerId: 'c1', ifName: 'eth0' }]
    bridge.gc!({ config, validAttachments: valid }, surroundingsOn({ kernel: linux, host }, v4()))
    assert.match(rules(), /10\.1\.2\.5/)
    assert.doesNotMatch(rules(), /10\.1\.2\.6/)
    first.del()
    assert.doesNotMatch(rules(), /10\.1\.2\.5|lan/)
  })
})
