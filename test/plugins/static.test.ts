import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { staticIpam } from '../../src/plugins/static.ts'
import { call } from '../support/run-plugin.ts'

const ipam = {
  type: 'static',
  addresses: [
    { address: '10.10.0.1/24', gateway: '10.10.0.254' },
    { address: '3FFE:ffff:0:01ff::1/64', gateway: '3ffe:ffff:0::1' },
  ],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '10.10.5.1', mtu: 1400, table: 0 }],
  dns: { nameservers: ['8.8.8.8'], domain: 'example.com', search: [], options: ['ndots:2'] },
}
const base = { cniVersion: '1.1.0', name: 'lan', type: 'bridge', ipam }
const oneAddress = {
  ...base,
  ipam: { type: 'static', addresses: [{ address: '10.10.0.1/24', gateway: '10.10.0.254' }] },
}

function run(verb: string, stdin: object, args = '') {
  const environment = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/c1',
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin',
    CNI_ARGS: args,
  }
  return call(staticIpam, { environment, stdin })
}

test('ADD gives addresses, routes and name servers as they are told, in their one form', () => {
  assert.deepEqual(run('ADD', base).json, {
    cniVersion: '1.1.0',
    ips: [
      { address: '10.10.0.1/24', gateway: '10.10.0.254' },
      { address: '3ffe:ffff:0:1ff::1/64', gateway: '3ffe:ffff::1' },
    ],
    routes: ipam.routes,
    dns: { nameservers: ['8.8.8.8'], domain: 'example.com', options: ['ndots:2'] },
  })
})

describe('whose addresses count:', () => {
  const runtimeConfig = { ips: ['10.20.0.1/24', 'fd00::1/64'] }
  const args = { cni: { ips: ['10.30.0.1/24'] } }
  const rows: { name: string; stdin: object; args?: string; ips: object[] }[] = [
    { name: "the configuration's", stdin: oneAddress, ips: [{ address: '10.10.0.1/24', gateway: '10.10.0.254' }] },
    {
      name: "CNI_ARGS adds to the configuration's",
      stdin: oneAddress,
      args: 'IP=10.40.0.1/24',
      ips: [{ address: '10.10.0.1/24', gateway: '10.10.0.254' }, { address: '10.40.0.1/24' }],
    },
    {
      name: 'args.cni replaces both',
      stdin: { ...oneAddress, args },
      args: 'IP=10.40.0.1/24',
      ips: [{ address: '10.30.0.1/24' }],
    },
    {
      name: 'runtimeConfig replaces all',
      stdin: { ...oneAddress, args, runtimeConfig },
      args: 'IP=10.40.0.1/24',
      ips: [{ address: '10.20.0.1/24' }, { address: 'fd00::1/64' }],
    },
    {
      name: 'an empty runtimeConfig replaces nothing',
      stdin: { ...oneAddress, runtimeConfig: { ips: [] } },
      ips: [{ address: '10.10.0.1/24', gateway: '10.10.0.254' }],
    },
    {
      name: 'GATEWAY is for the addresses of CNI_ARGS whose subnet holds it, and the last one counts',
      stdin: oneAddress,
      args: 'IP=10.11.0.1/24, 10.12.0.1/24,fd00::1/64;GATEWAY=10.11.0.9,10.11.0.8, fd00::9,10.10.0.7,192.0.2.1',
      ips: [
        { address: '10.10.0.1/24', gateway: '10.10.0.254' },
        { address: '10.11.0.1/24', gateway: '10.11.0.8' },
        { address: '10.12.0.1/24' },
        { address: 'fd00::1/64', gateway: 'fd00::9' },
      ],
    },
  ]
  for (const { name, stdin, args, ips } of rows) {
    test(name, () => assert.deepEqual(run('ADD', stdin, args).json.ips, ips))
  }
})

test('no addresses are as good as any', () => {
  const { status, json } = run('ADD', { ...base, ipam: { type: 'static' } })
  assert.deepEqual([status, json], [0, { cniVersion: '1.1.0' }])
})

describe('ADD refuses', () => {
  const withAddresses = (...addresses: object[]) => ({ ...base, ipam: { type: 'static', addresses } })
  const rows: { name: string; stdin: object; args?: string; code: number; message: RegExp }[] = [
    {
      name: 'an address without prefix',
      stdin: withAddresses({ address: '10.10.0.1' }),
      code: 7,
      message: /^Cannot use "ipam.addresses\[0\].address": "10.10.0.1" is no address with a prefix length/,
    },
    { name: 'an empty address', stdin: withAddresses({ address: '' }), code: 7, message: /"" is no address/ },
    {
      name: 'a missing address',
      stdin: withAddresses({}),
      code: 7,
      message: /^Cannot find "ipam.addresses\[0\].address"/,
    },
    {
      name: 'a bad gateway',
      stdin: withAddresses({ address: '10.0.0.1/24', gateway: 'x' }),
      code: 7,
      message: /"ipam.addresses\[0\].gateway": "x" is no IP address/,
    },
    { name: 'a missing ipam', stdin: { ...base, ipam: undefined }, code: 7, message: /^Cannot find "ipam"/ },
    {
      name: 'a bad IP in CNI_ARGS',
      stdin: base,
      args: 'IP=10.10.0.1',
      code: 4,
      message: /^Cannot use CNI_ARGS: IP: "10.10.0.1" is no address with/,
    },
    {
      name: 'a prefix too long in CNI_ARGS',
      stdin: base,
      args: 'IP=10.10.0.1/33',
      code: 4,
      message: /"10.10.0.1\/33"/,
    },
    {
      name: 'a bad GATEWAY in CNI_ARGS',
      stdin: base,
      args: 'GATEWAY=x',
      code: 4,
      message: /^Cannot use CNI_ARGS: GATEWAY: "x" is no IP/,
    },
    { name: 'an unknown key in CNI_ARGS', stdin: base, args: 'MAC=x', code: 4, message: /unknown "MAC=x"/ },
    {
      name: 'a bad address in runtimeConfig',
      stdin: { ...base, runtimeConfig: { ips: ['10.0.0.1'] } },
      code: 7,
      message: /"runtimeConfig.ips\[0\]": "10.0.0.1"/,
    },
    {
      name: 'a bad address in args',
      stdin: { ...base, args: { cni: { ips: ['10.0.0.1'] } } },
      code: 7,
      message: /"args.cni.ips\[0\]": "10.0.0.1"/,
    },
    {
      name: 'two of a family in 0.2.0',
      stdin: { ...withAddresses({ address: '10.0.0.1/24' }, { address: '10.0.1.1/24' }), cniVersion: '0.2.0' },
      code: 7,
      message: /^Cannot give 2 addresses of one family in CNI 0.2.0/,
    },
    {
      name: 'no address in 0.2.0',
      stdin: { ...withAddresses(), cniVersion: '0.2.0' },
      code: 7,
      message: /no IP address/,
    },
    {
      name: 'a route without destination',
      stdin: { ...base, ipam: { routes: [{}] } },
      code: 7,
      message: /"ipam.routes\[0\].dst"/,
    },
  ]
  for (const { name, stdin, args, code, message } of rows) {
    test(name, () => {
      const { status, json } = run('ADD', stdin, args)
      assert.deepEqual([status, json.code], [1, code])
      assert.match(json.msg, message)
    })
  }
})

describe('CHECK', () => {
  const added = () => run('ADD', base).json
  const rows: { name: string; prevResult: object | undefined; code: number | undefined }[] = [
    { name: 'succeeds after ADD', prevResult: added(), code: undefined },
    {
      name: 'allows what others added',
      prevResult: { ...added(), ips: [...added().ips, { address: '10.9.9.9/8' }] },
      code: undefined,
    },
    { name: 'wants the result of ADD', prevResult: undefined, code: 7 },
    { name: 'notices a missing address', prevResult: { ...added(), ips: added().ips.slice(1) }, code: 101 },
    {
      name: 'notices another gateway',
      prevResult: { ...added(), ips: [{ ...added().ips[0], gateway: '10.10.0.9' }, added().ips[1]] },
      code: 101,
    },
    {
      name: 'notices a missing gateway',
      prevResult: { ...added(), ips: [{ address: '10.10.0.1/24' }, added().ips[1]] },
      code: 101,
    },
  ]
  for (const { name, prevResult, code } of rows) {
    test(name, () => assert.equal(run('CHECK', { ...base, prevResult }).json?.code, code))
  }
})

describe('succeeds, there being nothing to do:', () => {
  const bad = { ...base, ipam: { type: 'static', addresses: [{ address: 'x' }] } }
  for (const verb of ['DEL', 'GC']) {
    test(`${verb}, whatever the addresses are`, () => assert.equal(run(verb, bad, 'FOO').stdout, ''))
    test(`${verb} without ipam`, () => assert.equal(run(verb, { ...base, ipam: undefined }).stdout, ''))
  }
})

describe('STATUS', () => {
  test('succeeds when ADD would', () => assert.equal(run('STATUS', base).stdout, ''))
  test('succeeds without ipam, which nobody asks', () =>
    assert.equal(run('STATUS', { ...base, ipam: undefined }).status, 0))
  for (const ipam of [
    { addresses: [{ address: 'x' }] },
    { routes: [{ dst: 'x' }] },
    { dns: { search: 'x' } },
    { addresses: {} },
  ]) {
    test(`says why ADD would not: ${JSON.stringify(ipam)}`, () => {
      const { status, json } = run('STATUS', { ...base, ipam: { type: 'static', ...ipam } })
      assert.equal(status, 1)
      assert.ok([6, 7].includes(json.code))
    })
  }
})
