import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseResolvConf, readResolvConf } from '../../src/ipam/resolv-conf.ts'
import { memoryHost } from '../support/memory-host.ts'

test('resolv.conf is read as its manual page says', () => {
  const text = `# a comment
; another
nameserver 192.0.2.3
  nameserver\t2001:db8::53 \r
#nameserver 192.0.2.9
search a.example b.example
search c.example
domain first.example
domain example.net
options ndots:5 timeout:2
nameserver
bogus word
`
  assert.deepEqual(parseResolvConf(text), {
    nameservers: ['192.0.2.3', '2001:db8::53'],
    search: ['a.example', 'b.example', 'c.example'],
    domain: 'example.net',
    options: ['ndots:5', 'timeout:2'],
  })
})

test('a resolv.conf that is not there is an error naming it', () => {
  assert.throws(() => readResolvConf(memoryHost().files, '/etc/nope'), {
    name: 'CniError',
    code: 7,
    message: 'Cannot read "ipam.resolvConf": there is no file "/etc/nope"',
  })
})
