/**
 * Who is who in a random world. Numbers make names, and the same numbers make MACs and addresses, so that a hexdump tells
 * whose frame it is:
 *
 *   02:00:00:00:03:01        device 1 of node 3
 *   10.0.2.3, fd00:2::3      host 3 of network 2
 */

const hex2 = (value: number) => value.toString(16).padStart(2, '0')

/** Of a device of a node. Both are less than 256. */
export function macOf(node: number, device: number): string {
  return `02:00:00:00:${hex2(node)}:${hex2(device)}`
}

/** Of a host in a network, without its prefix length, which is 24. */
export function addressOf(network: number, host: number): string {
  return `10.0.${network}.${host}`
}

export function prefixOf(network: number): string {
  return `10.0.${network}.0/24`
}

/** Of a host in a network, without its prefix length, which is 64. */
export function address6Of(network: number, host: number): string {
  return `fd00:${network.toString(16)}::${host.toString(16)}`
}

export function prefix6Of(network: number): string {
  return `fd00:${network.toString(16)}::/64`
}

/** The address all of a network are meant by. */
export function broadcastOf(network: number): string {
  return `10.0.${network}.255`
}

/** Belong to nobody in any world. */
export const STRANGER = { mac: '02:00:00:00:ff:ff', address: '10.99.0.9', address6: 'fd00:99::9' } as const
