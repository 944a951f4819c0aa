/** FRR as a router of a lab: a speaker's configuration in its words (docs.frrouting.org), for bgpd, and zebra beside it. */
import type { NeighbourConfig, SpeakerConfig } from './speaker-plan.ts'

export const ZEBRA_CONFIG = 'zebra.conf'
export const BGPD_CONFIG = 'bgpd.conf'

export function frrFiles({ name, routerId, as, networks, neighbors }: SpeakerConfig): Record<string, string> {
  const restart = neighbors.find(({ gracefulRestart }) => gracefulRestart)?.gracefulRestart
  const bgpd = [
    `hostname ${name}`,
    `router bgp ${as}`,
    ` bgp router-id ${routerId}`,
    // What a router of somebody else's would do for safety, and a lab has no use for.
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ' no bgp default ipv4-unicast',
    ' bgp bestpath as-path multipath-relax',
    ...(restart
      ? [
          ' bgp graceful-restart',
          ' bgp graceful-restart preserve-fw-state',
          ` bgp graceful-restart restart-time ${restart.time}`,
          ` bgp graceful-restart stalepath-time ${restart.time}`,
        ]
      : [' bgp graceful-restart-disable']),
    ...neighbors.flatMap(sessionLines),
    ' address-family ipv4 unicast',
    ...networks.map(({ prefix }) => `  network ${prefix}`),
    ...neighbors.flatMap(routeLines),
    ' exit-address-family',
    'exit',
  ]
  return {
    [ZEBRA_CONFIG]: `hostname ${name}\nip nht resolve-via-default\n`,
    [BGPD_CONFIG]: `${bgpd.join('\n')}\n`,
  }
}

function sessionLines(neighbour: NeighbourConfig): string[] {
  const { name, address, remoteAs, localAddress, holdTime, connectRetry, multihop } = neighbour
  return [
    ` neighbor ${address} remote-as ${remoteAs}`,
    ` neighbor ${address} description ${name}`,
    ` neighbor ${address} update-source ${localAddress}`,
    ` neighbor ${address} timers ${Math.max(1, Math.floor(holdTime / 3))} ${holdTime}`,
    ` neighbor ${address} timers connect ${connectRetry}`,
    ` neighbor ${address} advertisement-interval 0`,
    ...(multihop === undefined ? [] : [` neighbor ${address} ebgp-multihop ${multihop}`]),
  ]
}

function routeLines({ address, nextHopSelf, rrClient, allowAsIn }: NeighbourConfig): string[] {
  return [
    `  neighbor ${address} activate`,
    // `force`: also of routes that are passed on from one client to another.
    ...(nextHopSelf ? [`  neighbor ${address} next-hop-self force`] : []),
    ...(rrClient ? [`  neighbor ${address} route-reflector-client`] : []),
    ...(allowAsIn > 0 ? [`  neighbor ${address} allowas-in ${allowAsIn}`] : []),
  ]
}
