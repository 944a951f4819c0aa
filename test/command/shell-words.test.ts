/** Lines as POSIX sh splits them; what would need a shell is refused by its name. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { test } from 'vitest'
import { type Joint, quoteWords, ShellError, splitCommands } from '../../src/command/shell-words.ts'

const split: readonly { readonly line: string; readonly commands: readonly (readonly [Joint, ...string[]])[] }[] = [
  { line: 'ip link', commands: [[';', 'ip', 'link']] },
  { line: '  ip\t link  ', commands: [[';', 'ip', 'link']] },
  { line: '', commands: [] },
  { line: '# nothing', commands: [] },
  { line: 'ip addr # ; not this', commands: [[';', 'ip', 'addr']] },
  { line: 'ip a#b', commands: [[';', 'ip', 'a#b']] },
  {
    line: 'a; b',
    commands: [
      [';', 'a'],
      [';', 'b'],
    ],
  },
  {
    line: 'a;b;',
    commands: [
      [';', 'a'],
      [';', 'b'],
    ],
  },
  {
    line: 'a && b || c',
    commands: [
      [';', 'a'],
      ['&&', 'b'],
      ['||', 'c'],
    ],
  },
  {
    line: 'a &&\n b',
    commands: [
      [';', 'a'],
      ['&&', 'b'],
    ],
  },
  {
    line: 'a\n\nb',
    commands: [
      [';', 'a'],
      [';', 'b'],
    ],
  },
  {
    line: `ip link set e alias 'two words; $HOME'`,
    commands: [[';', 'ip', 'link', 'set', 'e', 'alias', 'two words; $HOME']],
  },
  { line: 'echo "a b"c\'d e\'', commands: [[';', 'echo', 'a bcd e']] },
  { line: 'echo "a \\" \\\\ \\x"', commands: [[';', 'echo', 'a " \\ \\x']] },
  { line: 'echo \'\' ""', commands: [[';', 'echo', '', '']] },
  { line: 'echo a\\ b \\; \\$x', commands: [[';', 'echo', 'a b', ';', '$x']] },
  { line: 'ip \\\n link', commands: [[';', 'ip', 'link']] },
  { line: 'iptables ! -d 10.0.0.0/8', commands: [[';', 'iptables', '!', '-d', '10.0.0.0/8']] },
  {
    line: 'nft add chain ip t c { type filter \\; }',
    commands: [[';', 'nft', 'add', 'chain', 'ip', 't', 'c', '{', 'type', 'filter', ';', '}']],
  },
  {
    line: 'sysctl net.ipv4.conf.flannel/1.rp_filter=1',
    commands: [[';', 'sysctl', 'net.ipv4.conf.flannel/1.rp_filter=1']],
  },
  { line: "'if' x", commands: [[';', 'if', 'x']] },
]
for (const { line, commands } of split) {
  test(`splits ${JSON.stringify(line)}`, () => {
    assert.deepEqual(
      splitCommands(line).map(({ joint, words }) => [joint, ...words]),
      commands,
    )
  })
}

const refused: readonly { readonly line: string; readonly says: RegExp }[] = [
  { line: 'ip link | grep x', says: /pipe/ },
  { line: 'ip link > file', says: /redirection ">"/ },
  { line: 'nft -f - < file', says: /redirection "<"/ },
  { line: 'ip link show $DEV', says: /variable/ },
  { line: 'echo "$DEV"', says: /variable/ },
  { line: 'echo `id`', says: /command substitution/ },
  { line: 'ls *', says: /pattern/ },
  { line: 'ls a?', says: /pattern/ },
  { line: 'ip link &', says: /background/ },
  { line: '(ip link)', says: /subshell/ },
  { line: 'for i in 1 2; do ip link; done', says: /"for"/ },
  { line: '! ip link', says: /"!"/ },
  { line: 'A=1 ip link', says: /assignment/ },
  { line: 'ls ~/x', says: /home/ },
  { line: '; a', says: /syntax error/ },
  { line: 'a ;; b', says: /syntax error/ },
  { line: 'a &&', says: /syntax error/ },
  { line: '&& a', says: /syntax error/ },
  { line: "echo 'a", says: /unterminated/ },
  { line: 'echo "a', says: /unterminated/ },
]
for (const { line, says } of refused) {
  test(`refuses ${line}`, () => {
    assert.throws(() => splitCommands(line), { name: 'ShellError', message: says })
  })
}

test('any line gives commands of at least one word each, or a ShellError', () => {
  fc.assert(
    fc.property(fc.string(), (line) => {
      try {
        for (const { words } of splitCommands(line)) assert.ok(words.length > 0)
      } catch (error) {
        assert.ok(error instanceof ShellError)
      }
    }),
  )
})

for (const [words, line] of [
  [['ip', 'link', 'add', 'a@b', '-o', '--x=1'], 'ip link add a@b -o --x=1'],
  [['echo', "it's", ''], "echo 'it'\\''s' ''"],
  [['if', 'A=b'], "'if' 'A=b'"],
] as const) {
  test(`quoteWords() gives ${line}`, () => assert.equal(quoteWords(words), line))
}

const anyWords = fc.array(fc.oneof(fc.string(), fc.constantFrom('if', 'A=b', "'", '\n', '~')), { minLength: 1 })

test('words come back as they were, whatever is in them', () => {
  fc.assert(
    fc.property(anyWords, (words) => assert.deepEqual(splitCommands(quoteWords(words)), [{ joint: ';', words }])),
  )
})

test('and a real shell reads them so too', () => {
  const all = fc.sample(
    anyWords.map((words) => words.map((word) => word.replaceAll('\0', ''))),
    { numRuns: 200, seed: 1 },
  )
  const script = all.map((words) => `${quoteWords(['printf', '%s\\0', ...words])}\n`).join('')
  const { stdout } = spawnSync('sh', { input: script, encoding: 'utf8' })
  assert.deepEqual(stdout.split('\0').slice(0, -1), all.flat())
})
