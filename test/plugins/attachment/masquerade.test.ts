/** The forms of masquerade, byte for byte, on a host and a kernel in memory. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { KernelError } from '../../../src/kernel/errors.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { NftElement, NftOperation, NftRule } from '../../../src/kernel/nftables.ts'
import { markOf, markPrefix } from '../../../src/plugins/attachment/mark.ts'
import { addMasquerade, parseBackend } from '../../../src/plugins/attachment/masquerade.ts'
import { referenceChain, referenceComment } from '../../../src/plugins/attachment/masquerade-iptables.ts'
import type { Masqueraded } from '../../../src/plugins/attachment/masqueraded.ts'
import { type MemoryHostOptions, memoryHost } from '../../support/memory-host.ts'

const whose: Masqueraded = {
  network: 'net1',
  containerId: 'c1',
  ifName: 'eth0',
  addresses: ['10.1.2.2/24', 'fd00:2::2/64'],
}

/** nfnetlink that has these rules, and takes or refuses commits. */
function kernelWith(
  rules: Partial<NftRule>[],
  commit: (operations: readonly NftOperation[]) => void = () => {},
): Kernel {
  const nftables = {
    commit,
    rules: ({ family, name }: { family: string; name: string }) =>
      rules.filter((rule) => rule.family === family && rule.chain === name),
    element: (): NftElement | undefined => undefined,
    elements: () => [],
    list: () => ({ tables: [], chains: [], sets: [], rules: [] }),
  }
  return { nftables } as unknown as Kernel
}

function hostWith(options: MemoryHostOptions = {}) {
  const inputs: string[] = []
  const restore = (_: unknown, stdin: string) => {
    inputs.push(stdin)
    return { status: 0 }
  }
  const host = memoryHost({
    programs: {
      '/usr/sbin/iptables': () => ({ status: 1 }),
      '/usr/sbin/ip6tables': () => ({ status: 1 }),
      '/usr/sbin/iptables-restore': restore,
      '/usr/sbin/ip6tables-restore': restore,
    },
    ...options,
  })
  return { host, inputs }
}

const nothingToUndo = () => {}

describe('as elements', () => {
  test('an address is one element that leads to its subnet and names its owner', () => {
    const commits: (readonly NftOperation[])[] = []
    addMasquerade(
      kernelWith([], (operations) => commits.push(operations)),
      hostWith().host,
      whose,
      undefined,
      nothingToUndo,
    )
    const set = { family: 'inet', table: 'overlab_masquerade' } as const
    const comment = 'net1 c1 eth0'
    assert.deepEqual(commits, [
      [
        {
          operation: 'create elements',
          set: { ...set, name: 'containers4' },
          elements: [
            { key: Uint8Array.of(10, 1, 2, 2), data: { verdict: 'goto', chain: 'subnet-10.1.2.0/24' }, comment },
          ],
        },
        {
          operation: 'create elements',
          set: { ...set, name: 'containers6' },
          elements: [
            {
              key: Uint8Array.of(0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
              data: { verdict: 'goto', chain: 'subnet-fd00_2__/64' },
              comment,
            },
          ],
        },
      ],
    ])
  })

  test('an address without neighbours leads to a chain that does not name it', () => {
    const commits: (readonly NftOperation[])[] = []
    const alone = { ...whose, addresses: ['10.1.2.2/32'] }
    addMasquerade(
      kernelWith([], (operations) => commits.push(operations)),
      hostWith().host,
      alone,
      'nftables',
      nothingToUndo,
    )
    const [[operation]] = commits as [[Extract<NftOperation, { elements: unknown }>]]
    assert.deepEqual(operation.elements[0]!.data, { verdict: 'goto', chain: 'no-neighbours-ipv4' })
  })

  test('a node without nftables gets the rules of iptables, unless nftables was asked for', () => {
    const refusing = kernelWith([], () => {
      throw new KernelError('EOPNOTSUPP', 'change nftables')
    })
    const { host, inputs } = hostWith()
    addMasquerade(refusing, host, whose, undefined, nothingToUndo)
    assert.equal(inputs.length, 2)
    assert.throws(
      () => addMasquerade(refusing, host, whose, 'nftables', nothingToUndo),
      /Cannot masquerade with nftables/,
    )
  })

  test('what went wrong otherwise is not covered up', () => {
    const refusing = kernelWith([], () => {
      throw new KernelError('EPERM', 'change nftables')
    })
    assert.throws(() => addMasquerade(refusing, hostWith().host, whose, undefined, nothingToUndo), { errno: 'EPERM' })
  })
})

describe("as the reference's rules", () => {
  // As Go's plugins 1.9.1 name them: seen with iptables-save.
  test('the chain is named after network and container', () => {
    assert.equal(referenceChain('net1', 'c1', hostWith().host), 'CNI-c2d892b58e87e28a12fe6479')
    assert.equal(referenceComment('net1', 'c1'), 'name: "net1" id: "c1"')
  })

  test('they are written in one transaction per family', () => {
    const { host, inputs } = hostWith()
    addMasquerade(kernelWith([]), host, whose, 'iptables', nothingToUndo)
    const comment = String.raw`-m comment --comment "name: \"net1\" id: \"c1\""`
    assert.deepEqual(inputs, [
      [
        '*nat',
        ':CNI-c2d892b58e87e28a12fe6479 - [0:0]',
        `-A CNI-c2d892b58e87e28a12fe6479 -d 10.1.2.0/24 -j ACCEPT ${comment}`,
        `-A CNI-c2d892b58e87e28a12fe6479 ! -d 224.0.0.0/4 -j MASQUERADE ${comment}`,
        `-A POSTROUTING -s 10.1.2.2 -j CNI-c2d892b58e87e28a12fe6479 ${comment}`,
        'COMMIT',
        '',
      ].join('\n'),
      [
        '*nat',
        ':CNI-c2d892b58e87e28a12fe6479 - [0:0]',
        `-A CNI-c2d892b58e87e28a12fe6479 -d fd00:2::/64 -j ACCEPT ${comment}`,
        `-A CNI-c2d892b58e87e28a12fe6479 ! -d ff00::/8 -j MASQUERADE ${comment}`,
        `-A POSTROUTING -s fd00:2::2 -j CNI-c2d892b58e87e28a12fe6479 ${comment}`,
        'COMMIT',
        '',
      ].join('\n'),
    ])
  })

  test('a network that has some gets more of them; others do not', () => {
    const rule = (comment: string) =>
      ({ family: 'ip', chain: 'POSTROUTING', expressions: [], comment }) as Partial<NftRule>
    for (const { comment, uses } of [
      { comment: 'name: "net1" id: "other"', uses: true },
      { comment: 'name: "net2" id: "other"', uses: false },
      { comment: 'somebody else', uses: false },
    ]) {
      const { host, inputs } = hostWith()
      addMasquerade(kernelWith([rule(comment)]), host, whose, undefined, nothingToUndo)
      assert.equal(inputs.length > 0, uses, comment)
    }
  })

  test('rules of iptables-legacy are looked up where it has some', () => {
    const save = () => ({
      status: 0,
      stdout: '-A POSTROUTING -s 10.1.2.9/32 -m comment --comment "name: \\"net1\\" id: \\"c9\\"" -j CNI-1\n',
    })
    const { host } = hostWith({
      files: { '/proc/net/ip_tables_names': 'filter\nnat\n' },
      programs: {
        '/usr/sbin/iptables': () => ({ status: 0 }),
        '/usr/sbin/iptables-legacy-save': save,
        '/usr/sbin/ip6tables': () => ({ status: 0 }),
        '/usr/sbin/ip6tables-restore': () => ({ status: 0 }),
      },
    })
    addMasquerade(kernelWith([]), host, whose, undefined, nothingToUndo)
    assert.ok(host.runs.some(({ path }) => path === '/usr/sbin/iptables'))
  })

  test('a program that is missing or fails is named, with what to do', () => {
    const { host } = hostWith({ programs: {} })
    assert.throws(
      () => addMasquerade(kernelWith([]), host, whose, 'iptables', nothingToUndo),
      /Cannot find iptables: install it/,
    )
    const failing = hostWith({
      programs: {
        '/usr/sbin/iptables': () => ({ status: 0 }),
        '/usr/sbin/iptables-restore': () => ({ status: 4, stderr: 'no nat here\n' }),
      },
    })
    assert.throws(
      () => addMasquerade(kernelWith([]), failing.host, whose, 'iptables', nothingToUndo),
      /Cannot masquerade with iptables-restore: no nat here/,
    )
  })

  test('another backend is refused', () => {
    assert.throws(() => parseBackend('firewalld'), /"ipMasqBackend" "firewalld": use "nftables" or "iptables"/)
  })
})

describe('marks', () => {
  test('have room for any container and network, and stay apart', () => {
    const long = { containerId: 'f'.repeat(200), ifName: 'a-name-15-bytes' }
    const mark = markOf('n'.repeat(200), long)
    assert.ok(mark.length <= 127)
    assert.ok(mark.startsWith(markPrefix('n'.repeat(200))))
    assert.notEqual(mark, markOf('n'.repeat(200), { ...long, containerId: `${'f'.repeat(199)}0` }))
    assert.ok(!mark.startsWith(markPrefix('n'.repeat(199))))
  })

  test('of one network never begin as those of another', () => {
    assert.ok(!markOf('net1', whose).startsWith(markPrefix('net')))
  })
})
