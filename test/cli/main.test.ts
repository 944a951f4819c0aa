import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { overlab } from './overlab.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

test('--version prints the version and nothing else', () => {
  assert.deepEqual(overlab(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' })
})

for (const argv of [
  ['--help'],
  ['help', 'cni'],
  ['cni', '--help'],
  ['cni', 'add', '--help'],
  ['bgp', 'run', '--help'],
  ['bgp', 'show', 'routes', '--help'],
  ['lab', 'exec', '--help'],
  ['lab', 'node', '--help'],
  ['lab', 'node', 'kill', '--help'],
]) {
  test(`overlab ${argv.join(' ')} explains itself on stdout`, () => {
    const { status, stdout, stderr } = overlab(argv)
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^Usage: overlab/)
  })
}

// Wrong use: status 2, the reason on stderr, and stdout left to what it is for.
const wrong = [
  { argv: [], says: /Usage: overlab/ },
  { argv: ['labb'], says: /Did you mean lab\?/ },
  { argv: ['cni', 'ad'], says: /Did you mean add\?/ },
  { argv: ['cni', 'add'], says: /missing required argument 'network'/ },
  { argv: ['cni', 'list', '-o', 'yaml'], says: /Allowed choices are text, json/ },
  { argv: ['cni', 'list', '--nonsense'], says: /unknown option '--nonsense'/ },
  { argv: ['cni', 'add', 'net', 'ns', '--args', 'FOO'], says: /"FOO" is not of the form KEY=VALUE/ },
  { argv: ['cni', 'add', 'net', 'ns', '--capability-args', '[]'], says: /It is not a JSON object/ },
  { argv: ['cni', 'gc', 'net'], says: /say --all/ },
  { argv: ['cni', 'gc', 'net', '--valid', 'c1'], says: /not of the form container\/ifname/ },
  { argv: ['lab', 'up', '--name', '../x'], says: /a letter or digit first/ },
  { argv: ['lab', 'up', '--backend', 'ipip'], says: /Allowed choices are vxlan, host-gw, udp/ },
  { argv: ['lab', 'up', '--direct-routing'], says: /Cannot use --direct-routing without --backend vxlan/ },
  { argv: ['bgp', 'run'], says: /required option '--config <file>' not specified/ },
  { argv: ['bgp', 'run', '--config', '/nowhere.yaml'], says: /Cannot read "\/nowhere.yaml": ENOENT/ },
  { argv: ['bgp', 'run', '--config', 'x', '--metrics', '9179'], says: /as 127\.0\.0\.1:9179 or \[::1\]:9179/ },
  { argv: ['bgp', 'show', 'neighbours'], says: /Did you mean one of neighbors, neighbor\?|Did you mean neighbors?\?/ },
  { argv: ['lab', 'node', 'kill'], says: /missing required argument 'node'/ },
  { argv: ['lab', 'node', 'kil', 'n1'], says: /Did you mean kill\?/ },
]
for (const { argv, says } of wrong) {
  test(`overlab ${argv.join(' ')} is wrong use`, () => {
    const { status, stdout, stderr } = overlab(argv)
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, says)
  })
}

test('completion knows commands, options and choices', () => {
  const complete = (...words: string[]) => overlab(['complete', '--', ...words]).stdout
  assert.match(complete(''), /^cni\t/m)
  assert.match(complete('cni', ''), /^add\t.*^check\t.*^del\t.*^gc\t.*^status\t.*^list\t/ms)
  assert.match(complete('lab', 'up', '--'), /^--bin-dir\t/m)
  assert.match(complete('lab', 'up', '--backend', ''), /^vxlan.*^host-gw.*^udp/ms)
  assert.match(complete('lab', 'node', ''), /^kill\t.*^restart\t.*^cut\t.*^heal\t/ms)
  assert.match(complete('cni', 'list', '--output', ''), /^json/m)
  assert.match(overlab(['complete', 'bash']).stdout, /bash completion for overlab/)
})
