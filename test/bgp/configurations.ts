/** Configurations that tests and properties begin with. */

const neighbour = {
  localAs: null,
  port: 179,
  passive: false,
  multihop: null,
  ttlSecurity: null,
  password: null,
  holdTime: 6,
  keepalive: null,
  connectRetry: 2,
  rrClient: false,
  clusterId: null,
  addPath: null,
  gracefulRestart: null,
  longLivedGR: null,
  nextHopSelf: false,
  maxPrefixes: null,
  requireCapabilities: [],
  extendedNextHop: false,
  extendedMessages: false,
  enhancedRouteRefresh: true,
  exportAll: true,
  importAll: true,
  allowAsIn: 0,
  bfd: false,
  communitiesOut: [],
  dynamicRange: null,
}

/** Node 1 of the suite's mesh, with every member written. */
export const MESH_NODE = {
  name: 'bgn1',
  routerId: '10.0.0.1',
  as: 64512,
  listenPort: 179,
  listenAddress: null,
  networks: ['10.244.1.0/26', 'fd44:1::/122'],
  families: ['ipv4', 'ipv6'],
  kernel: { install: true, ecmp: 16 },
  preferOlder: false,
  neighbors: [
    { ...neighbour, name: 'n2', address: '10.0.0.2', remoteAs: 64512, localAddress: '10.0.0.1', families: ['ipv4'] },
    {
      ...neighbour,
      name: 'n2-6',
      address: 'fd00:10::2',
      remoteAs: 64512,
      localAddress: 'fd00:10::1',
      families: ['ipv6'],
    },
  ],
}

/** One with as much as can be said at once. */
export const RICH_NODE = {
  ...MESH_NODE,
  listenAddress: ['10.0.0.1', 'fd00:10::1'],
  networks: ['10.244.1.0/26', { prefix: 'fd44:1::/122', communities: ['65000:1', 'no-export'], blackhole: false }],
  kernel: { install: true, ecmp: 4, protocol: 12, table: 100, metric: 20, persist: true },
  filters: {
    rack: {
      importV4: [
        { action: 'Reject', prefixList: [{ action: 'permit', prefix: '0.0.0.0/0', le: 0 }] },
        {
          action: 'Accept',
          cidr: '10.0.0.0/8',
          matchOperator: 'In',
          prefixLength: { min: 16, max: 28 },
          source: 'RemotePeers',
          peerType: 'eBGP',
          communities: { values: ['65000:1'] },
          asPathPrefix: [65001],
          operations: [{ addCommunity: { value: '65000:1:2' } }, { setLocalPref: { value: 200 } }],
        },
      ],
      exportV6: [{ action: 'Accept', interface: 'cali*', priority: 512, operations: [{ setMed: { value: 5 } }] }],
    },
  },
  neighbors: [
    {
      ...MESH_NODE.neighbors[0],
      remoteAs: 65001,
      ttlSecurity: 1,
      password: 'secret',
      gracefulRestart: { time: 120, restarting: true },
      longLivedGR: { time: 3600 },
      addPath: 'both',
      bfd: { minTx: 300, minRx: 300, multiplier: 3 },
      requireCapabilities: ['as4'],
      communitiesOut: ['65000:2'],
      filters: ['rack', { exportV4: [{ action: 'Reject', cidr: '10.9.0.0/16', matchOperator: 'NotIn' }] }],
      nextHop: 'self',
      maxPrefixes: 1000,
    },
    { address: 'fd00:20::/64', remoteAs: null, dynamicRange: 'fd00:20::/64', dynamicLimit: 5, passive: true },
  ],
}
