/** JSON as iproute2 lays it out. Recorded from `ip -j -p` of iproute2 6.1. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Printer } from '../../src/command/printer.ts'

const route = (printer: Printer) =>
  printer.array(undefined, () => {
    printer.object(() => {
      printer.both('dst', '10.5.0.0/16')
      printer.strings('flags', [])
      printer.array('nexthops', () => {
        printer.object(() => {
          printer.both('gateway', '192.168.1.2', 'via 192.168.1.2 ')
          printer.both('weight', 2, 'weight 2 ')
          printer.strings('flags', ['linkdown', 'onlink'])
        })
      })
    })
    printer.object(() => printer.both('dst', 'default'))
  })

test('one line without -p', () => {
  const printer = new Printer({ json: true, pretty: false, oneLine: false })
  route(printer)
  assert.equal(
    printer.finish(),
    '[{"dst":"10.5.0.0/16","flags":[],"nexthops":[{"gateway":"192.168.1.2","weight":2,"flags":["linkdown","onlink"]}]},{"dst":"default"}]\n',
  )
  assert.equal(JSON.parse(printer.finish()).length, 2)
})

test('indented with -p, plain values of an array on its line', () => {
  const printer = new Printer({ json: true, pretty: true, oneLine: false })
  route(printer)
  assert.equal(
    printer.finish(),
    `[ {
        "dst": "10.5.0.0/16",
        "flags": [ ],
        "nexthops": [ {
                "gateway": "192.168.1.2",
                "weight": 2,
                "flags": [ "linkdown","onlink" ]
            } ]
    },{
        "dst": "default"
    } ]
`,
  )
})

test('as text, members that are in JSON only are left out', () => {
  const printer = new Printer({ json: false, pretty: false, oneLine: true })
  printer.member('ifindex', 1)
  printer.word('onlink')
  printer.newLine()
  printer.decimal('timer', 1.5, 'timer 1.50 ')
  assert.equal(printer.finish(), 'onlink \\timer 1.50 ')
})
