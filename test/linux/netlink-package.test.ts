/**
 * The npm package netlink is somebody else's reader and writer of the same messages: it lists what we make, and we list what
 * it makes. It leaves link kinds, metrics and next hops as bytes and knows no onlink; iproute2.test.ts is the witness of those.
 */
import assert from 'node:assert/strict'
import { createRtNetlink } from 'netlink'
import { afterAll, test, vi } from 'vitest'
import { formatIp, parseIp } from '../../src/address/ip.ts'
import { formatMac, parseMac } from '../../src/address/mac.ts'
import { linux } from '../../src/linux/linux.ts'

const NLM_F_CREATE_EXCL = 0x600
const AF_INET = 2
const theirs = createRtNetlink()
afterAll(() => theirs.socket.close())

const ip = (text: string) => Buffer.from(parseIp(text))
const familyOf = (text: string) => (text.includes(':') ? 10 : AF_INET)
const names = () => new Map(linux.links.list().map(({ index, name }) => [index, name]))

test('it lists the links that we made', async () => {
  linux.links.add({ kind: 'bridge', name: 'br0', up: true, mac: '02:00:00:00:00:01' })
  linux.links.add({ kind: 'veth', name: 'v0', up: true, mtu: 1400, master: 'br0', alias: 'ours', peer: { name: 'v1' } })
  linux.links.set('v1', { up: true, promiscuous: true })
  linux.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 7, port: 4789 } })
  const listed = (await theirs.getLinks()).map(({ data, attrs }) => ({
    index: data.index,
    name: attrs.ifname,
    mac: formatMac(attrs.address!),
    mtu: attrs.mtu,
    up: data.flags?.up === true,
    promiscuous: data.flags?.promisc === true,
    master: attrs.master,
    txQueueLength: attrs.txqlen,
  }))
  assert.ok(listed.length >= 5)
  assert.deepEqual(
    listed,
    linux.links.list().map(({ index, name, mac, mtu, up, promiscuous, master, txQueueLength }) => ({
      index,
      name,
      mac,
      mtu,
      up,
      promiscuous,
      master,
      txQueueLength,
    })),
  )
})

test('it lists the addresses that we made', async () => {
  linux.addresses.add({ link: 'br0', prefix: '10.0.0.1/24' })
  linux.addresses.add({ link: 'br0', prefix: '10.0.0.2/32', peer: '10.9.9.9', label: 'br0:peer' })
  linux.addresses.add({ link: 'br0', prefix: 'fd00::1/64', noDad: true })
  const linkNames = names()
  const listed = (await theirs.getAddresses()).map(({ data, attrs }) => ({
    prefix: `${formatIp(attrs.local ?? attrs.address!)}/${data.prefixlen}`,
    link: linkNames.get(data.index!),
    broadcast: attrs.broadcast && formatIp(attrs.broadcast),
    label: attrs.label,
    permanent: attrs.flags?.permanent === true,
  }))
  assert.deepEqual(
    listed,
    linux.addresses.list().map(({ prefix, link, broadcast, label, permanent }) => ({
      prefix,
      link,
      broadcast,
      label,
      permanent,
    })),
  )
})

test('it lists the routes that we made', async () => {
  linux.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.3', metric: 7, protocol: 4, source: '10.0.0.1' })
  linux.routes.add({ destination: '10.6.0.0/16', type: 'blackhole', table: 70000 })
  linux.routes.add({ destination: 'fd05::/48', gateway: 'fd00::2', link: 'br0' })
  const linkNames = names()
  const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
  // The kernel adds IPv6 routes to new addresses a moment later.
  await vi.waitFor(async () => {
    const listed = (await theirs.getRoutes()).map(({ data, attrs }) => ({
      destination: `${attrs.dst ? formatIp(attrs.dst) : data.family === AF_INET ? '0.0.0.0' : '::'}/${data.dstLen}`,
      type: String(data.type).toLowerCase(),
      table: attrs.table,
      metric: attrs.priority ?? 0,
      gateway: attrs.gateway && formatIp(attrs.gateway),
      source: attrs.prefsrc && formatIp(attrs.prefsrc),
      link: linkNames.get(attrs.oif!),
    }))
    const ours = linux.routes.list().map(({ destination, type, table, metric, gateway, source, link }) => ({
      destination,
      type,
      table,
      metric,
      gateway,
      source,
      link,
    }))
    assert.ok(ours.length > 10)
    assert.deepEqual(listed.sort(byText), ours.sort(byText))
  })
})

test('it lists the rules and neighbours that we made', async () => {
  linux.rules.add({ family: 'ipv4', priority: 100, source: '10.0.0.0/8', mark: 7, table: 1000 })
  linux.neighbours.add({ link: 'br0', address: '10.0.0.9', mac: '02:00:00:00:00:09' })
  const rules = await theirs.getRules({ family: AF_INET })
  assert.deepEqual(
    rules.map(({ attrs }) => ({ priority: attrs.priority ?? 0, table: attrs.table, mark: attrs.fwmark })),
    linux.rules.list('ipv4').map(({ priority, table, mark }) => ({ priority, table, mark })),
  )
  const neighbours = (await theirs.getNeighbors()).filter(({ data }) => data.state?.permanent)
  assert.deepEqual(
    neighbours.map(({ attrs }) => [formatIp(attrs.dst!), formatMac(attrs.lladdr!)]),
    [['10.0.0.9', '02:00:00:00:00:09']],
  )
})

test('we list what it makes', async () => {
  const flags = { flags: NLM_F_CREATE_EXCL }
  // IFLA_INFO_KIND "ifb", which the package leaves to its caller to encode.
  const linkinfo = Buffer.from('0700010069666200', 'hex')
  await theirs.newLink({ flags: { up: true }, change: { up: true } }, { ifname: 'ifb9', mtu: 1300, linkinfo }, flags)
  const link = linux.links.get('ifb9')!
  assert.deepEqual([link.kind, link.mtu, link.up], ['ifb', 1300, true])

  for (const [address, prefixlen] of [
    ['10.7.0.1', 24],
    ['fd07::1', 64],
  ] as const) {
    const attributes = { local: ip(address), address: ip(address) }
    await theirs.newAddress({ family: familyOf(address), prefixlen, index: link.index }, attributes, flags)
    assert.ok(linux.addresses.list('ifb9').some(({ prefix }) => prefix === `${address}/${prefixlen}`))
  }

  const destination = { dst: ip('10.8.0.0'), gateway: ip('10.7.0.2'), oif: link.index, priority: 9 }
  await theirs.newRoute(
    { family: AF_INET, dstLen: 16, table: 254, protocol: 'STATIC', type: 'UNICAST' },
    destination,
    flags,
  )
  const route = linux.routes.list({ protocol: 4, link: 'ifb9' })[0]!
  assert.deepEqual(
    [route.destination, route.gateway, route.metric, route.scope],
    ['10.8.0.0/16', '10.7.0.2', 9, 'global'],
  )

  await theirs.newRule(
    { family: AF_INET, srcLen: 16, action: 'toTbl' },
    { src: ip('10.8.0.0'), table: 1001, priority: 55 },
    flags,
  )
  assert.deepEqual(
    linux.rules.list('ipv4').find(({ priority }) => priority === 55),
    { family: 'ipv4', priority: 55, action: 'table', table: 1001, source: '10.8.0.0/16' },
  )

  await theirs.newNeighbor(
    { family: AF_INET, ifindex: link.index, state: { permanent: true } },
    { dst: ip('10.7.0.9'), lladdr: Buffer.from(parseMac('02:00:00:00:00:07')) },
    flags,
  )
  assert.deepEqual(
    linux.neighbours.list({ link: 'ifb9', family: 'ipv4' }).filter(({ state }) => state === 'permanent'),
    [{ link: 'ifb9', address: '10.7.0.9', mac: '02:00:00:00:00:07', state: 'permanent' }],
  )

  await theirs.delLink({ index: link.index })
  assert.equal(linux.links.get('ifb9'), undefined)
})
