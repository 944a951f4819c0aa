import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { CniError } from '../../../src/cni/errors.ts'
import { KernelError } from '../../../src/kernel/errors.ts'
import { parseConfig } from '../../../src/overlay/config.ts'
import { formatSubnetFile } from '../../../src/overlay/subnet-file.ts'
import { parseSubnetEnv, readSubnetEnv } from '../../../src/plugins/flannel/subnet-env.ts'
import { memoryHost } from '../../support/memory-host.ts'

const FILE = '/run/flannel/subnet.env'

const complete = {
  FLANNEL_NETWORK: '10.1.0.0/16',
  FLANNEL_SUBNET: '10.1.17.1/24',
  FLANNEL_MTU: '1450',
  FLANNEL_IPMASQ: 'true',
}

const textOf = (values: object) =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

const parse = (values: object) => parseSubnetEnv(textOf({ ...complete, ...values }), FILE)

describe('is understood', () => {
  const expected = { networks: ['10.1.0.0/16'], subnets: ['10.1.17.0/24'], mtu: 1450, ipMasq: true }
  const rows = [
    ['as the daemon writes it', textOf(complete)],
    ['with the line ends of Windows', textOf(complete).replaceAll('\n', '\r\n')],
    ['without an end of line at the end', textOf(complete).trimEnd()],
    ['with other lines in it', `# flannel\n\nFLANNEL_BACKEND\nX=1\n flannel_mtu=1\n${textOf(complete)}`],
    ['with two lines for a key: the last counts', `FLANNEL_MTU=9\nFLANNEL_IPMASQ=no\n${textOf(complete)}`],
  ] as const
  for (const [how, text] of rows) test(how, () => assert.deepEqual(parseSubnetEnv(text, FILE), expected))

  const values = [
    [
      'several networks, each once',
      { FLANNEL_NETWORK: '10.1.0.0/16,10.9.7.1/8,10.1.2.3/16' },
      { networks: ['10.1.0.0/16', '10.0.0.0/8'] },
    ],
    ['an address of IPv4 written as IPv6', { FLANNEL_SUBNET: '::ffff:10.1.17.1/120' }, {}],
    ['a prefix length with zeros before it', { FLANNEL_SUBNET: '10.1.17.1/024' }, {}],
    ["an MTU of 0, the kernel's", { FLANNEL_MTU: '0' }, { mtu: 0 }],
    ['any other word than "true" for no', { FLANNEL_IPMASQ: 'True' }, { ipMasq: false }],
    ['a value with "=" in it, which is no "true"', { FLANNEL_IPMASQ: 'true=' }, { ipMasq: false }],
    [
      'both families, IPv4 first',
      { FLANNEL_IPV6_NETWORK: 'fd00::1/48', FLANNEL_IPV6_SUBNET: 'fd00:0:0:5::1/64' },
      { networks: ['10.1.0.0/16', 'fd00::/48'], subnets: ['10.1.17.0/24', 'fd00:0:0:5::/64'] },
    ],
  ] as const
  for (const [what, given, differs] of values) {
    test(what, () => assert.deepEqual(parse(given), { ...expected, ...differs }))
  }
})

describe('is refused', () => {
  const rows = [
    ['a network that is none', { FLANNEL_NETWORK: '10.1.0.0/33' }, /: invalid CIDR address: 10\.1\.0\.0\/33\. Check/],
    ['an empty network', { FLANNEL_NETWORK: '' }, /: invalid CIDR address: \. Check/],
    ['a space between networks', { FLANNEL_NETWORK: '10.1.0.0/16, 10.2.0.0/16' }, /address: {2}10\.2/],
    ['a subnet in quotes', { FLANNEL_SUBNET: '"10.1.17.1/24"' }, /invalid CIDR address: "10\.1/],
    ['an MTU below zero', { FLANNEL_MTU: '-1' }, /FLANNEL_MTU is "-1", no number of bytes/],
    ['an MTU of more than 32 bits', { FLANNEL_MTU: '4294967296' }, /FLANNEL_MTU is "4294967296"/],
    ['an MTU that is no number', { FLANNEL_MTU: '0x5aa' }, /FLANNEL_MTU is "0x5aa"/],
  ] as const
  for (const [what, values, message] of rows) {
    test(what, () => assert.throws(() => parse(values), { code: 7, message }))
  }

  for (const key of [...Object.keys(complete), 'FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET']) {
    test(`a line that is ${key} alone`, () => {
      const message = new RegExp(`: line 5 of ${FILE} is "${key}", without "=" and a value\\. Check`)
      assert.throws(() => parseSubnetEnv(`${textOf(complete)}${key}`, FILE), { code: 7, message })
    })
  }

  test('a file that cannot be opened, with the reason', () => {
    const { files } = memoryHost()
    const broken = {
      ...files,
      read(path: string): never {
        throw new KernelError('EACCES', `read "${path}"`)
      },
    }
    assert.throws(() => readSubnetEnv(broken, FILE), {
      code: 5,
      message: /: open \/run\/flannel\/subnet\.env: EACCES\. /,
    })
  })
})

test('what our daemon writes is what the plugin reads', () => {
  const config = parseConfig(
    '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:5::/48","Backend":{"Type":"vxlan"}}',
  )
  const subnets = { ipv4: '10.1.17.0/24', ipv6: 'fd00:5:0:17::/64' }
  for (const [ipMasq, kept] of [
    [true, ['ipv4', 'ipv6']],
    [false, ['ipv4']],
    [false, ['ipv6']],
  ] as const) {
    const part = <T>(of: { readonly ipv4?: T; readonly ipv6?: T }) =>
      Object.fromEntries(kept.map((family) => [family, of[family]!]))
    const text = formatSubnetFile({ config: part(config), subnets: part(subnets), mtu: 1430, ipMasq })
    assert.deepEqual(parseSubnetEnv(text, FILE), {
      networks: kept.map((family) => config[family]!.network),
      subnets: kept.map((family) => subnets[family]),
      mtu: 1430,
      ipMasq,
    })
  }
})

test("any text is a node's subnet, or refused in the words of flannel", () => {
  const value = fc.oneof(fc.string(), fc.constantFrom('true', '10.1.0.0/16', '10.1.17.1/24', 'fd00::1/64', '1450', ','))
  const key = fc.constantFrom(...Object.keys(complete), 'FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET', 'FLANNEL_X', '')
  const line = fc.tuple(key, fc.constantFrom('=', '', '==', ' ='), value).map((parts) => parts.join(''))
  const text = fc.oneof(
    fc.string(),
    fc.tuple(fc.array(line), fc.constantFrom('\n', '\r\n')).map(([lines, end]) => lines.join(end)),
    fc.array(line).map((lines) => textOf(complete) + lines.join('\n')),
  )
  let understood = 0
  fc.assert(
    fc.property(text, (text) => {
      try {
        const { networks, subnets, mtu } = parseSubnetEnv(text, FILE)
        assert.ok(networks.length > 0 && subnets.length > 0 && Number.isSafeInteger(mtu))
        understood++
      } catch (error) {
        assert.ok(error instanceof CniError, `${error}`)
        assert.match(
          error.message,
          /^failed to load flannel 'subnet\.env' file: .*\. Check the flannel pod log for this node\.$/s,
        )
      }
    }),
    { numRuns: 2000 },
  )
  assert.ok(understood > 100, `only ${understood} were understood`)
})
