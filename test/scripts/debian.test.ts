import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'vitest'
import { debianSource } from '../../scripts/debian.mjs'
import { packagesFor } from '../../scripts/debian-packages.mjs'

const stanza = `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`

// file below /etc/apt, its text, what it says of the mirror
const sources = [
  {
    name: 'a stanza with its key',
    files: { 'sources.list.d/debian.sources': stanza },
    source: {
      uri: 'http://mirror.example/debian',
      options: '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ',
    },
  },
  {
    name: 'a line with options',
    files: { 'sources.list': 'deb [arch=amd64] http://mirror.example/debian/ bookworm main\n' },
    source: { uri: 'http://mirror.example/debian/', options: '[arch=amd64] ' },
  },
  {
    name: 'a line after others',
    files: {
      'sources.list':
        '# old\ndeb-src http://a.example/debian x main\ndeb http://security.example/debian-security x main\ndeb http://b.example/debian x main\n',
    },
    source: { uri: 'http://b.example/debian', options: '' },
  },
  {
    name: 'no Debian mirror',
    files: { 'sources.list.d/other.list': 'deb https://packages.example/apt stable main\n' },
    source: undefined,
  },
  { name: 'a disabled stanza', files: { 'sources.list.d/a.sources': `Enabled: no\n${stanza}` }, source: undefined },
]

for (const { name, files, source } of sources) {
  test(`debianSource() understands ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'overlab-apt-'))
    try {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true })
        writeFileSync(join(folder, path), text)
      }
      assert.deepEqual(debianSource(folder), source)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

test('each purpose needs what the one before it needs', () => {
  const names = (purpose: 'ok' | 'start' | 'test') => {
    const { installed, fetched } = packagesFor(purpose)
    return new Set([...installed, ...fetched].map((wanted) => wanted.name))
  }
  assert.equal(names('ok').size, 0)
  assert.ok(names('start').has('libquickjs'))
  assert.deepEqual(
    [...names('start')].filter((name) => !names('test').has(name)),
    [],
  )
})
