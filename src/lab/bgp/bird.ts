/** BIRD 2 as a router of a lab: a speaker's configuration in its words (bird.network.cz, The BIRD user's guide). */
import type { NeighbourConfig, SpeakerConfig } from './speaker-plan.ts'

export const BIRD_CONFIG = 'bird.conf'

export function birdFiles({ routerId, as, neighbors }: SpeakerConfig): Record<string, string> {
  const text = [
    'log stderr all;',
    `router id ${routerId};`,
    'protocol device { scan time 2; }',
    // What a router announces of its own are the networks of its links; and next hops of iBGP are found in them.
    'protocol direct { ipv4; }',
    'protocol kernel {',
    '  ipv4 { import none; export where source = RTS_BGP; };',
    '  persist; graceful restart; merge paths on;',
    '}',
    ...neighbors.flatMap((neighbour, i) => neighbourLines(neighbour, i, as)),
  ]
  return { [BIRD_CONFIG]: `${text.join('\n')}\n` }
}

function neighbourLines(neighbour: NeighbourConfig, i: number, as: number): string[] {
  const { name, address, remoteAs, localAddress, holdTime, connectRetry, multihop, gracefulRestart } = neighbour
  const isInternal = remoteAs === as
  const reach = multihop === undefined ? (isInternal ? 'multihop' : 'direct') : `multihop ${multihop}`
  return [
    `protocol bgp p${i} {`,
    `  description "${name}";`,
    `  local ${localAddress} as ${as};`,
    `  neighbor ${address} as ${remoteAs};`,
    `  ${reach};`,
    `  hold time ${holdTime}; connect delay time 1; connect retry time ${connectRetry}; error wait time 1, 4;`,
    gracefulRestart
      ? `  graceful restart on; graceful restart time ${gracefulRestart.time};`
      : '  graceful restart off;',
    ...(neighbour.rrClient ? ['  rr client;'] : []),
    ...(neighbour.allowAsIn > 0 ? [`  allow local as ${neighbour.allowAsIn};`] : []),
    '  ipv4 {',
    '    import all;',
    '    export where source ~ [ RTS_DEVICE, RTS_BGP ];',
    ...(neighbour.nextHopSelf ? ['    next hop self;'] : []),
    '  };',
    '}',
  ]
}
