/** Policy rules. */
import assert from 'node:assert/strict'
import type { Rule } from '../../../src/kernel/route.ts'
import { addCarrier, type Case, has, refused } from './case.ts'

const rows: readonly { readonly what: string; readonly rule: Rule }[] = [
  { what: 'by source', rule: { family: 'ipv4', priority: 100, table: 1000, source: '10.0.0.0/8' } },
  { what: 'by destination', rule: { family: 'ipv4', priority: 100, table: 1000, destination: '10.1.0.0/16' } },
  { what: 'by input link', rule: { family: 'ipv4', priority: 100, table: 1000, inputLink: 'eth0' } },
  { what: 'by output link', rule: { family: 'ipv4', priority: 100, table: 1000, outputLink: 'eth0' } },
  { what: 'by mark', rule: { family: 'ipv4', priority: 100, table: 1000, mark: 0x1000, mask: 0xf000 } },
  {
    what: 'by mark with all its bits',
    rule: { family: 'ipv4', priority: 100, table: 1000, mark: 0xffff_ffff, mask: 0xffff_ffff },
  },
  { what: 'by tos', rule: { family: 'ipv4', priority: 100, table: 1000, tos: 0x10 } },
  { what: 'inverted', rule: { family: 'ipv4', priority: 100, table: 1000, source: '10.0.0.1/32', invert: true } },
  { what: 'to a small table', rule: { family: 'ipv4', priority: 100, table: 5 } },
  { what: 'of a protocol', rule: { family: 'ipv4', priority: 100, table: 1000, protocol: 42 } },
  { what: 'with suppression', rule: { family: 'ipv4', priority: 100, table: 1000, suppressPrefixLength: 0 } },
  { what: 'to another rule', rule: { family: 'ipv4', priority: 100, action: 'goto', goto: 32766 } },
  { what: 'that does nothing', rule: { family: 'ipv4', priority: 100, action: 'nop' } },
  { what: 'to a blackhole', rule: { family: 'ipv4', priority: 100, action: 'blackhole', source: '10.6.0.0/16' } },
  { what: 'to unreachable', rule: { family: 'ipv4', priority: 100, action: 'unreachable', source: '10.6.0.0/16' } },
  { what: 'to prohibit', rule: { family: 'ipv4', priority: 100, action: 'prohibit', source: '10.6.0.0/16' } },
  {
    what: 'of IPv6',
    rule: { family: 'ipv6', priority: 100, table: 1000, source: 'fd00::/8', destination: 'fd01::1/128' },
  },
]

export const ruleCases: readonly Case[] = [
  ...rows.map(({ what, rule }) => ({
    title: `a rule is added, listed and deleted: ${what}`,
    check({ node }: Parameters<Case['check']>[0]) {
      const find = () => node.rules.list(rule.family).find(({ priority }) => priority === 100)
      node.rules.add(rule)
      assert.deepEqual(find(), { action: 'table', ...rule })
      assert.deepEqual(
        node.rules.list().find(({ priority }) => priority === 100),
        find(),
      )
      refused('EEXIST', () => node.rules.add(rule))
      node.rules.delete(rule)
      assert.equal(find(), undefined)
      refused('ENOENT', () => node.rules.delete(rule))
    },
  })),
  {
    title: 'a namespace begins with the rules for local, main and default',
    check({ node }) {
      const tables = (family: 'ipv4' | 'ipv6') =>
        node.rules.list(family).map(({ priority, table }) => `${priority}: ${table}`)
      assert.deepEqual(tables('ipv4'), ['0: 255', '32766: 254', '32767: 253'])
      assert.deepEqual(tables('ipv6'), ['0: 255', '32766: 254'])
    },
  },
  {
    title: 'a rule without priority comes before all but the first',
    check({ node }) {
      node.rules.add({ family: 'ipv4', table: 1000, source: '10.0.0.1/32' })
      node.rules.add({ family: 'ipv4', table: 1001, source: '10.0.0.1/32' })
      assert.deepEqual(
        node.rules.list('ipv4').map(({ table }) => table),
        [255, 1001, 1000, 254, 253],
      )
    },
  },
  {
    title: 'what a rule to delete leaves out is not compared',
    check({ node }) {
      node.rules.add({ family: 'ipv4', priority: 100, action: 'prohibit', source: '10.0.0.1/32' })
      node.rules.delete({ family: 'ipv4', priority: 100 })
      assert.equal(node.rules.list('ipv4').length, 3)
    },
  },
  {
    title: 'rules of one family are no rules of the other',
    check({ node }) {
      node.rules.add({ family: 'ipv6', priority: 100, table: 1000 })
      assert.ok(!node.rules.list('ipv4').some(({ priority }) => priority === 100))
    },
  },
  {
    title: 'a rule decides in which table a route is looked up',
    check({ node }) {
      addCarrier(node)
      node.addresses.add({ link: 'l0', prefix: '10.0.0.1/24' })
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2', table: 1000 })
      assert.equal(node.routes.lookup('10.5.0.1', { mark: 7 }), undefined)
      node.rules.add({ family: 'ipv4', priority: 100, table: 1000, mark: 7 })
      has(node.routes.lookup('10.5.0.1', { mark: 7 }), { gateway: '10.0.0.2', table: 1000 })
      assert.equal(node.routes.lookup('10.5.0.1'), undefined)
    },
  },
]
