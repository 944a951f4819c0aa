/**
 * What we need of Debian, by name.
 *
 * `installed` packages are installed on the machine: tools that scripts and tests call by their plain names. `fetched` packages
 * are unpacked below .cache/debian and never installed: programs that would start services, or of a suite that is not the machine's.
 */

/** Each with the command, or the header, by which it is known to be there, whoever put it there. */
const compiler = [
  { name: 'gcc', command: 'gcc' },
  { name: 'libc6-dev', header: '/usr/include/stdio.h' },
]

const witnesses = [
  { name: 'g++', command: 'g++' }, // node-gyp compiles raw-socket with these three
  { name: 'make', command: 'make' },
  { name: 'python3', command: 'python3' }, // and cnidiff, and the BGP checks, are written in Python
  { name: 'iproute2', command: 'ip' },
  { name: 'iptables', command: 'iptables' },
  { name: 'nftables', command: 'nft' },
  { name: 'conntrack', command: 'conntrack' },
  { name: 'ipset', command: 'ipset' },
  { name: 'procps', command: 'sysctl' },
  { name: 'util-linux', command: 'unshare' },
  { name: 'mount', command: 'mount' },
  { name: 'ethtool', command: 'ethtool' },
  { name: 'iputils-ping', command: 'ping' },
  { name: 'tshark', command: 'tshark' },
  { name: 'bgpdump', command: 'bgpdump' }, // what our MRT files say
  { name: 'strace', command: 'strace' },
  { name: 'jq', command: 'jq' },
  { name: 'faketime', command: 'faketime' }, // its library: clocks that are wrong
  { name: 'openssl', command: 'openssl' },
  { name: 'kmod', command: 'depmod' }, // the modules of User-Mode Linux
  { name: 'vagrant', command: 'vagrant' },
  { name: 'qemu-system-x86', command: 'qemu-system-x86_64' }, // the machines of the suite vm
  { name: 'cpio', command: 'cpio' }, // their initramfs
  { name: 'e2fsprogs', command: 'mkfs.ext4' }, // their disks
]

/** QuickJS as a library came with Debian 13; its archive links and runs on Debian 12 too. */
const quickjs = { name: 'libquickjs', suite: 'trixie', header: '/usr/include/quickjs/quickjs.h' }

/** What a node of the Vagrant lab is given, and the tests use on this machine: containerd 1.6, etcd 3.4. */
const node = [
  { name: 'containerd', suite: 'bookworm' },
  { name: 'runc', suite: 'bookworm' },
  { name: 'busybox-static', suite: 'bookworm' },
  { name: 'etcd-server', suite: 'bookworm' },
  { name: 'etcd-client', suite: 'bookworm' },
]

const peers = [
  // The reference plugins: cnidiff wants 1.9.1.
  { name: 'containernetworking-plugins', suite: 'sid' },
  { name: 'user-mode-linux', suite: 'bookworm' },
  // podman 4.3: the last in Debian that runs CNI plugins.
  { name: 'podman', suite: 'bookworm' },
  { name: 'conmon', suite: 'bookworm' },
  { name: 'libsubid4', suite: 'bookworm' },
  { name: 'libgpgme11', suite: 'bookworm' },
  { name: 'libassuan0', suite: 'bookworm' },
  { name: 'libdevmapper1.02.1', suite: 'bookworm' },
  // Linux 6.1 with every module, for the machines of the suite vm: the name only points to the newest one's package.
  { name: 'linux-image-amd64', suite: 'bookworm', pointsTo: /^linux-image-\d/ },
]

/** @param {import('./setup.mjs').Purpose} purpose */
export function packagesFor(purpose) {
  if (purpose === 'ok') return { installed: [], fetched: [] }
  if (purpose === 'start') return { installed: compiler, fetched: [quickjs] }
  if (purpose === 'pack') return { installed: compiler, fetched: [quickjs, ...node] }
  return { installed: [...compiler, ...witnesses], fetched: [quickjs, ...node, ...peers] }
}
