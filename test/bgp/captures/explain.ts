/** A decoded message in the words of pcap2vectors.py, which is a reader of BGP that is not ours. */
import { formatIpv4 } from '../../../src/address/ipv4.ts'
import type { AsPath } from '../../../src/bgp/attribute/as-path.ts'
import { formatLargeCommunity } from '../../../src/bgp/attribute/large-communities.ts'
import { formatBgpId } from '../../../src/bgp/bgp-id.ts'
import type { Capability } from '../../../src/bgp/capability/capabilities.ts'
import { unicastOf } from '../../../src/bgp/family.ts'
import type { Message } from '../../../src/bgp/message/message.ts'
import type { Announcement, Routes } from '../../../src/bgp/message/update.ts'
import { formatPrefixKey } from '../../../src/bgp/nlri.ts'

const AS_TRANS = 23456
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const list = (items: readonly string[]) => `[${items.join(', ')}]`
const quoted = (items: readonly string[]) => list(items.map((item) => `'${item}'`))

export function explain(message: Message): string {
  switch (message.type) {
    case 'OPEN': {
      const { as, holdTime, id, capabilities } = message.open
      const head = `OPEN v4 as16=${as > 0xffff ? AS_TRANS : as} hold=${holdTime} id=${formatBgpId(id)} caps:`
      return `${head} ${capabilities.map(explainCapability).join(' ')}`
    }
    case 'KEEPALIVE':
      return 'KEEPALIVE'
    case 'NOTIFICATION': {
      const { code, subcode, data } = message.notification
      return `NOTIFICATION ${code}/${subcode} data=${hex(data) || '-'}`
    }
    case 'ROUTE-REFRESH': {
      const { afi, safi, subtype } = message.refresh
      const words = { request: 'request', beginning: 'BoRR', end: 'EoRR' } as Record<string, string>
      return `ROUTE-REFRESH afi=${afi} ${words[subtype] ?? subtype} safi=${safi}`
    }
    case 'UPDATE': {
      const { withdrawn, announced, endOfRib } = message.update
      if (endOfRib) return `UPDATE End-of-RIB ${endOfRib === 'ipv4' ? 'IPv4' : 'afi=2 safi=1'}`
      return `UPDATE ${[...withdrawn.map(explainWithdrawn), ...announced.flatMap(explainAnnounced)].join('; ')}`
    }
  }
}

function explainCapability(each: Capability): string {
  switch (each.name) {
    case 'multiprotocol':
      return `mp(${each.value.afi},${each.value.safi})`
    case 'four-octet-as':
      return `as4(${each.value})`
    case 'graceful-restart': {
      const { restarting, notification, time, families } = each.value
      const rest = families.map(({ afi, safi, forwarding }) => `,${afi}/${safi}${forwarding ? 'F' : ''}`).join('')
      return `gr(R=${Number(restarting)},N=${Number(notification)},time=${time}${rest})`
    }
    case 'add-path': {
      const modes = { receive: 1, send: 2, both: 3 }
      return `add-path(${each.value.map(({ afi, safi, mode }) => `${afi}/${safi}:${modes[mode]}`).join(',')})`
    }
    case 'fqdn':
      return `fqdn(${each.value.host})`
    case 'extended-next-hop':
      return `extended-nexthop(${hex(Uint8Array.from(each.value.flatMap((v) => [0, v.afi, 0, v.safi, 0, v.nextHopAfi])))})`
    case 'long-lived-graceful-restart': {
      const octets = each.value.flatMap(({ afi, safi, forwarding, time }) => [
        ...[0, afi, safi, forwarding ? 0x80 : 0],
        ...[time >> 16, (time >> 8) & 255, time & 255],
      ])
      return octets.length > 0 ? `llgr(${hex(Uint8Array.from(octets))})` : 'llgr'
    }
    case 'software-version':
      return `software-version(${hex(Uint8Array.from([each.value.length]))}${hex(Buffer.from(each.value))})`
    case 'role':
      return `role(${each.value})`
    case 'cisco-route-refresh':
      return 'route-refresh-cisco'
    case 'other':
      return `${each.code}(${hex(each.data)})`
    default:
      return each.name
  }
}

function prefixes({ prefixes, pathIds }: Routes): string {
  const texts = prefixes.map((key) => `'${formatPrefixKey(key)}'`)
  return list(pathIds ? texts.map((text, i) => `(${text}, ${pathIds[i]})`) : texts)
}

/** Whether it came in MP_UNREACH_NLRI is not kept: IPv4 is said to be withdrawn in its own field. */
function explainWithdrawn(routes: Routes): string {
  return `${routes.family === 'ipv4' ? 'withdraw' : 'mp_unreach'} ${prefixes(routes)}`
}

function explainAnnounced(announcement: Announcement): string[] {
  const { attributes, family } = announcement
  const { origin, asPath, nextHop, linkLocal, med, localPref, communities, largeCommunities } = attributes
  const inMp = nextHop.includes(':')
  const nextHops = linkLocal ? [nextHop, linkLocal] : [nextHop]
  const cut = { ...announcement, prefixes: announcement.prefixes.slice(0, 6) }
  return [
    `origin=${origin === 'INCOMPLETE' ? 'incomplete' : origin}`,
    `as_path=${explainPath(asPath)}`,
    ...(inMp ? [] : [`next_hop=${nextHop}`]),
    ...(med === undefined ? [] : [`med=${med}`]),
    ...(localPref === undefined ? [] : [`local_pref=${localPref}`]),
    ...(communities.length ? [`communities=${quoted(communities.map((c) => `${c >>> 16}:${c & 0xffff}`))}`] : []),
    ...(largeCommunities.length ? [`large=${quoted(largeCommunities.map(formatLargeCommunity))}`] : []),
    ...(attributes.originatorId === undefined ? [] : [`originator=${formatBgpId(attributes.originatorId)}`]),
    ...(attributes.clusterList.length ? [`cluster_list=${quoted(attributes.clusterList.map(formatBgpId))}`] : []),
    ...attributes.unknown.map(({ code, value }) => `attr${code}=${hex(value)}`),
    inMp ? `mp_reach afi=${unicastOf[family].afi} nh=${quoted(nextHops)} ${prefixes(cut)}` : `nlri ${prefixes(cut)}`,
  ]
}

function explainPath(path: AsPath): string {
  const text = path
    .map(({ type, numbers }) => (type === 'set' ? `{${numbers.join(' ')}}` : numbers.join(' ')))
    .join(' ')
  return text || '(empty)'
}

/** What pcap2vectors.py says, without what a decoded message does not keep. */
export function comparable(means: string): string {
  return means
    .replace(/ attr214\(flags 80\)=[0-9a-f]*;/, '') // optional and not transitive: forgotten
    .replace(/\(flags [0-9a-f]{2}\)/g, '')
    .replace(/^(UPDATE) mp_unreach (?=\[\(?'\d+\.)/, '$1 withdraw ') // IPv4 in MP_UNREACH_NLRI
    .replace(/^(NOTIFICATION \d+\/\d+) .*(?= data=)/, '$1')
    .replaceAll(/::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})/g, (_, high, low) => {
      const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
      return `::ffff:${formatIpv4(Uint8Array.of(a >> 8, a, b >> 8, b))}`
    })
}
