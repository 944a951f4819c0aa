/**
 * What a link says when it comes up, as Linux 6.18 did: AF_PACKET on l0 of
 *
 *      ip link add l0 address 02:00:00:00:00:01 type veth peer name l0p; sysctl net.ipv6.conf.l0p.disable_ipv6=1
 *      ip link set l0 up; ip link set l0p up; sleep 3; ip -6 addr add fd00::1/64 dev l0
 *
 * The nonces in the questions were drawn.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'

const REPORT_OF_NOBODY =
  '33330000001602000000000186dd600000000024000100000000000000000000000000000000ff0200000000000000000000000000163a000502000001008f006f890000000104000000ff0200000000000000000001ff000001'
const REPORT =
  '33330000001602000000000186dd6000000000240001fe80000000000000000000fffe000001ff0200000000000000000000000000163a000502000001008f0072070000000104000000ff0200000000000000000001ff000001'
const QUESTION =
  '3333ff00000102000000000186dd6000000000203aff00000000000000000000000000000000ff0200000000000000000001ff0000018700xxxx00000000fe80000000000000000000fffe0000010e01xxxxxxxxxxxx'
const SOLICITATION =
  '33330000000202000000000186dd6000000000103afffe80000000000000000000fffe000001ff02000000000000000000000000000285007b2c000000000101020000000001'
const SECOND_QUESTION =
  '3333ff00000102000000000186dd6000000000203aff00000000000000000000000000000000ff0200000000000000000001ff0000018700xxxx00000000fd0000000000000000000000000000010e01xxxxxxxxxxxx'

/** A link whose other end is silent, and what it sent: the clock's milliseconds, and hex. */
function comeUp(settings: Readonly<Record<string, string>> = {}) {
  const kernel = createModel()
  kernel.links.add({ kind: 'veth', name: 'l0', mac: '02:00:00:00:00:01', peer: { name: 'l0p' } })
  kernel.sysctl.set('net/ipv6/conf/l0p/disable_ipv6', '1')
  for (const [name, value] of Object.entries(settings)) kernel.sysctl.set(`net/ipv6/conf/l0/${name}`, value)
  const sent: { readonly at: number; readonly hex: string }[] = []
  kernel.packets.capture({ link: 'l0' }, ({ bytes, packetType }) => {
    if (packetType === 'outgoing')
      sent.push({ at: kernel.model.clock.now / 1000, hex: blank(Buffer.from(bytes).toString('hex')) })
  })
  kernel.links.set('l0', { up: true })
  kernel.links.set('l0p', { up: true })
  const pass = (ms: number) => kernel.model.advance(ms * 1000)
  return { kernel, sent, pass }
}

/** Nonces, and the checksums over them. */
function blank(hex: string): string {
  if (hex.slice(108, 112) !== '8700' || hex.slice(156, 160) !== '0e01') return hex
  return `${hex.slice(0, 112)}xxxx${hex.slice(116, 160)}${'x'.repeat(12)}`
}

test('a link that comes up reports its group, asks whether somebody has its address, then looks for routers', () => {
  const { sent, pass } = comeUp()
  pass(3000)
  const [first, question, second, solicitation] = sent.filter(
    ({ hex }, i) => sent.findIndex((x) => x.hex === hex) === i,
  )
  assert.deepEqual(
    [first, question, second, solicitation].map((frame) => frame?.hex),
    [REPORT_OF_NOBODY, QUESTION, REPORT, SOLICITATION],
  )
  assert.ok(question!.at <= 1000, 'the question waits for at most a second')
  assert.equal(Math.round(solicitation!.at - question!.at), 1000)
})

test('an address that is added is asked for once, and is ours a second later', () => {
  const { kernel, sent, pass } = comeUp({ addr_gen_mode: '1', router_solicitations: '0' })
  pass(100)
  kernel.addresses.add({ link: 'l0', prefix: 'fd00::1/64' })
  const tentative = () => kernel.addresses.list('l0').find(({ prefix }) => prefix === 'fd00::1/64')?.tentative
  assert.equal(tentative(), true)
  assert.equal(
    kernel.routes.list({ table: 255 }).some(({ destination }) => destination === 'fd00::1/128'),
    false,
  )
  pass(2500)
  assert.equal(tentative(), false)
  assert.deepEqual(
    sent.filter(({ hex }) => hex.slice(108, 110) === '87').map(({ hex }) => hex),
    [SECOND_QUESTION],
  )
})

test('without detection an address is ours at once, without address generation there is none', () => {
  const { kernel, pass } = comeUp({ addr_gen_mode: '1', accept_dad: '0' })
  pass(3000)
  const own = () => kernel.addresses.list('l0').map(({ prefix, tentative }) => `${prefix} ${tentative}`)
  assert.deepEqual(own(), [])
  kernel.addresses.add({ link: 'l0', prefix: 'fd00::1/64' })
  assert.deepEqual(own(), ['fd00::1/64 false'])
})

test('routers are looked for again and again, less and less often', () => {
  const { sent, pass } = comeUp()
  pass(120_000)
  const times = sent.filter(({ hex }) => hex === SOLICITATION).map(({ at }) => at)
  const waits = times.slice(1).map((at, i) => at - times[i]!)
  assert.ok(waits[0]! >= 3600 && waits[0]! <= 4400, `${waits}`)
  for (const [i, wait] of waits.slice(1).entries())
    assert.ok(wait >= 1.8 * waits[i]! && wait <= 2.2 * waits[i]!, `${waits}`)
})

test('two ends of a cable that were given one MAC have no address between them', () => {
  const kernel = createModel()
  const mac = '02:00:00:00:00:01'
  kernel.links.add({ kind: 'veth', name: 'l0', mac, peer: { name: 'l1', mac } })
  for (const link of ['l0', 'l1']) kernel.links.set(link, { up: true })
  kernel.model.advance(3_000_000)
  const failed = ['l0', 'l1'].flatMap((link) => kernel.addresses.list(link)).filter(({ dadFailed }) => dadFailed)
  assert.ok(failed.length >= 1)
})

test('a router answers for a subnet once, also when its address was there before the link came up', () => {
  const kernel = createModel()
  kernel.sysctl.set('net/ipv6/conf/all/forwarding', '1')
  kernel.links.add({ kind: 'veth', name: 'l0', peer: { name: 'l0p' } })
  kernel.addresses.add({ link: 'l0', prefix: 'fd00::1/64', noDad: true })
  kernel.links.set('l0', { up: true })
  kernel.links.set('l0p', { up: true })
  const anycast = () =>
    kernel.routes
      .list({ family: 'ipv6', table: 255 })
      .flatMap(({ type, destination, link }) => (type === 'anycast' && link === 'l0' ? destination : []))
  assert.deepEqual(anycast(), ['fd00::/128'])
  kernel.sysctl.set('net/ipv6/conf/l0/forwarding', '0')
  assert.deepEqual(anycast(), [])
})
