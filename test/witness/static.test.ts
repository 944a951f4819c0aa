/** Our static and the reference's read the same documents in the same way: Go's encoding/json and net are the witnesses. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { staticIpam } from '../../src/plugins/static.ts'
import { referencePlugins } from '../support/peers.ts'
import { call } from '../support/run-plugin.ts'

interface Answer {
  readonly result: unknown
  readonly code: number | undefined
}

const executable = join(import.meta.dirname, '../../cni-bin/static')
const reference = join(referencePlugins(), 'static')

function ask(stdin: string | Uint8Array, args: string): { ours: Answer; theirs: Answer } {
  const environment = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/none',
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/none',
    CNI_ARGS: args,
  }
  const { status, json, stdout } = call(staticIpam, { environment, stdin })
  assert.equal(execute(executable, environment, stdin), stdout) // another engine, the same words
  const printed = JSON.parse(execute(reference, environment, stdin))
  return {
    ours: status === 0 ? { result: json, code: undefined } : { result: undefined, code: json.code },
    theirs:
      printed.code === undefined ? { result: printed, code: undefined } : { result: undefined, code: printed.code },
  }
}

function execute(path: string, environment: Record<string, string>, stdin: string | Uint8Array): string {
  const { stdout, error } = spawnSync(path, { env: environment, input: Buffer.from(stdin), encoding: 'utf8' })
  if (error) throw error
  return stdout
}

/** Where the reference knows no better than 999, any code but "incompatible version" says more. */
function assertSame(stdin: string | Uint8Array, args = ''): void {
  const { ours, theirs } = ask(stdin, args)
  assert.deepEqual(ours.result, theirs.result)
  if (theirs.code === 999) assert.ok(ours.code !== undefined && ours.code !== 1, `code ${ours.code}`)
  else assert.equal(ours.code, theirs.code)
}

const document = (ipam: string, rest = '') => `{"cniVersion":"1.1.0","name":"lan","type":"x","ipam":{${ipam}}${rest}}`
const address = (text: string) => document(`"addresses":[{"address":${JSON.stringify(text)}}]`)
const route = (members: string) => document(`"routes":[{"dst":"10.0.0.0/8",${members}}]`)

describe('Go reads as we do', () => {
  const rows: string[] = [
    // keys in any case
    '{"CNIVERSION":"1.0.0","NAME":"lan","Ipam":{"ADDRESSES":[{"aDDress":"10.1.2.3/24","GATEWAY":"10.1.2.1"}]}}',
    '{"cniVersion":"1.0.0","name":"lan","ipam":{"addre\u017f\u017fes":[{"addres\u017f":"10.1.2.3/24"}],"dn\u017f":{"domain":"x"}}}',
    // duplicates and null
    '{"cniVersion":"0.4.0","cniVersion":"1.0.0","name":"lan","ipam":{}}',
    '{"cniVersion":"1.0.0","CNIversion":null,"name":"lan","name":null,"ipam":{"dns":null,"routes":null,"addresses":null}}',
    '{"cniVersion":"1.0.0","name":"lan","ipam":{"dns":{"domain":"a","search":["x"]},"dns":{"domain":"b"}}}',
    '{"cniVersion":"1.0.0","name":"lan","ipam":{"addresses":[{"address":"10.1.2.3/24"}],"addresses":[]}}',
    '{"cniVersion":"1.0.0","name":"lan","ipam":{"routes":[{"dst":"10.0.0.0/8"}]},"ipam":{"dns":{"domain":"b"}}}',
    '{"cniVersion":"1.0.0","name":7,"name":"lan","ipam":{}}',
    '{"cniVersion":"1.0.0","name":"lan","ipam":{"dns":{"nameservers":["8.8.8.8",null]}}}',
    // what is no object, or not alone
    ...[
      '',
      ' ',
      '[]',
      'null',
      '"x"',
      '1',
      '{"name":"lan"',
      '{"name":"lan"}x',
      '{"name":"lan"}{}',
      '\ufeff{"name":"lan"}',
    ],
    ...[
      "{'name':'lan'}",
      '{"name":"lan",}',
      '{"name":"lan"}//',
      '{"name":"lan","ipam":{},"x":01}',
      '{"name":"lan","ipam":{},"x":1.}',
    ],
    '{"name":"lan","cniVersion":"1.0.0","ipam":{},"x":[1e400,-0.5E-7,"\\u00e9\\ud83d\\ude00",true,null]}',
    '{"name":"la\\u006e","cniVersion":"1.0.0","ipam":{"dns":{"domain":"\\ud800\\u0041\\ud83d\\ude00 \\ud83d \\n"}}}',
    '{"name":"lan","cniVersion":"1.0.0","ipam":{"dns":{"domain":"a\\x"}}}',
    '{"name":"lan","cniVersion":"1.0.0","ipam":{"dns":{"domain":"a\nb"}}}',
    // numbers
    ...[
      '1500',
      '0',
      '-1',
      '1500.0',
      '1.5e3',
      '1500.5',
      '"1500"',
      'true',
      'null',
      '9223372036854775808',
      '-9223372036854775809',
      '99999999999999999999',
    ].map((mtu) => route(`"mtu":${mtu}`)),
    ...['0', '254', '-1', '1.0', 'null'].map((table) => route(`"table":${table},"scope":${table},"priority":${table}`)),
    // wrong types
    ...['5', '"x"', '{}', 'true'].map((value) => document(`"addresses":${value}`)),
    ...['5', '[]', '{}', 'true'].map((value) => document(`"addresses":[{"address":${value}}]`)),
    ...['5', '"x"', '[]', '{"domain":5}', '{"search":"x"}', '{"options":[5]}'].map((value) =>
      document(`"dns":${value}`),
    ),
    ...[
      '5',
      '[5]',
      '["x"]',
      '[{"dst":5}]',
      '[{"dst":"x"}]',
      '[{"dst":"10.0.0.0"}]',
      '[{"dst":"10.0.0.0/8","gw":"x"}]',
    ].map((value) => document(`"routes":${value}`)),
    ...['5', '"x"', '[]', '{"ips":"x"}', '{"ips":[5]}', '{"ips":null}', 'null'].map((value) =>
      document('', `,"runtimeConfig":${value}`),
    ),
    // versions and names
    ...['"1.2.0"', '"1.0"', '""', 'null', '5', '"0.2.0"'].map(
      (version) => `{"cniVersion":${version},"name":"lan","ipam":{}}`,
    ),
    ...['""', '"a/b"', '".x"', '"x.y-z_0"', '"ä"', 'null', '5'].map(
      (name) => `{"cniVersion":"1.0.0","name":${name},"ipam":{}}`,
    ),
    // addresses as Go's net package reads and writes them
    ...[
      '10.1.2.3/24',
      '10.1.2.3/0',
      '10.1.2.3/32',
      '10.1.2.3/33',
      '10.1.2.3/024',
      '10.1.2.3/+4',
      '10.1.2.3/',
      '/24',
    ].map(address),
    ...['010.1.2.3/24', '10.1.2/24', '10.1.2.3.4/24', ' 10.1.2.3/24', '10.1.2.256/24', '0x0a.1.2.3/24', '10.1.2.3'].map(
      address,
    ),
    ...[
      '::/0',
      '::1/128',
      '::1/129',
      'FD00::1/64',
      'fd00:0:0:0:0:0:0:1/64',
      'fd00::1::2/64',
      'fe80::1%eth0/64',
      '1::2:3:4:5:6:7:8/64',
    ].map(address),
    ...[
      '::ffff:10.1.2.3/120',
      '::ffff:a01:203/96',
      '::10.1.2.3/120',
      '64:ff9b::10.1.2.3/96',
      '1:0:0:2:0:0:0:3/64',
      '1:2:3:4:5:6:0:8/64',
    ].map(address),
  ]
  for (const text of rows) test(text, () => assertSame(text))

  test('a document with bytes that are no UTF-8', () => {
    const bytes = Buffer.from(document('"dns":{"domain":"a?b"}'))
    bytes[bytes.indexOf('?')] = 0xff
    assertSame(bytes)
  })
})

describe('Go reads CNI_ARGS as we do', () => {
  const rows = [
    ...['', 'FOO', 'FOO=BAR', ';', 'IP=1=2', 'IP=', 'IP=10.1.2.3/24;', 'ip=10.1.2.3/24', 'IgnoreUnknown=1;FOO=BAR'],
    ...[
      'IgnoreUnknown=tRue;FOO=BAR',
      'IgnoreUnknown=maybe',
      'IgnoreUnknown=1;FOO',
      'IgnoreUnknown=0;FOO=BAR',
      'FOO=BAR;IgnoreUnknown=1',
    ],
    ...[
      'IP=10.1.2.3/24',
      'IP=10.1.2.3',
      'IP=10.1.2.3/24, fd00::1/64',
      'IP=10.1.2.3/24,',
      'IP=10.1.2.3/24;IP=10.1.2.4/24',
    ],
    ...[
      'GATEWAY=10.10.0.254',
      'IP=10.1.2.3/24;GATEWAY=10.1.2.1',
      'IP=10.1.2.3/24;GATEWAY=10.1.2.1, 10.1.2.2',
      'IP=10.1.2.3/24;GATEWAY=x',
    ],
    ...['IP=10.1.2.3/24;GATEWAY=192.0.2.1', 'GATEWAY=', 'IP=::ffff:10.1.2.3/120;GATEWAY=10.1.2.1'],
  ]
  for (const args of rows) test(JSON.stringify(args), () => assertSame(address('10.10.0.1/24'), args))
})

test('any document of the right keys is read alike', () => {
  const oneOf = fc.constantFrom
  const prefix = oneOf('10.1.2.3/24', '10.1.2.0/8', 'fd00::1/64', '::/0', '0.0.0.0/0', '10.1.2.3', 'x', '')
  const ip = oneOf('10.1.2.1', 'FD00::1', '', 'x')
  const integer = oneOf(0, 1, 1500, 2.5, -3, '1', null)
  const optional = { requiredKeys: [] }
  const addresses = fc.array(fc.record({ address: prefix, gateway: ip }, { requiredKeys: ['address'] }), {
    maxLength: 3,
  })
  const routeMembers = {
    dst: prefix,
    gw: ip,
    mtu: integer,
    advmss: integer,
    priority: integer,
    table: integer,
    scope: integer,
  }
  const routes = fc.array(fc.record(routeMembers, { requiredKeys: ['dst'] }), { maxLength: 2 })
  const dns = fc.record(
    { nameservers: fc.array(oneOf('8.8.8.8', '')), domain: oneOf('', 'x'), search: oneOf(null, [], ['x']) },
    optional,
  )
  const ips = fc.record({ ips: fc.array(prefix, { maxLength: 2 }) }, optional)
  const documents = fc.record(
    {
      cniVersion: oneOf('0.1.0', '0.2.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0', '2.0.0'),
      name: oneOf('lan', 'a/b'),
      ipam: fc.record({ addresses, routes, dns }, optional),
      runtimeConfig: ips,
      args: fc.record({ cni: ips }, optional),
    },
    { requiredKeys: ['cniVersion', 'name'] },
  )
  fc.assert(
    fc.property(documents, (members) => assertSame(JSON.stringify(members))),
    { numRuns: 300 },
  )
})
