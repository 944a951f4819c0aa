"""What the scenarios share: a DUT with scripted neighbours, and three witnesses that are nobody's speaker:
Monitor (`ip monitor route` in a namespace), Sniffer (IP headers of the packets that reach the scripted peers), Bfd (the other end
of a BFD session, RFC 5880 and 5881).  Everything else comes from ../bgp (lab.py, bgplib.py, interop.py)."""
import os, re, signal, socket, struct, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'bgp'))
from bgplib import *
from interop import AS, DUT, PX, Wire, bad_open, installed, session, std
from lab import *

DUT6 = 'fd00:10::1'
EBGP = 65100                # AS of the first scripted neighbour; the next has one more


class Stand(Wire):
    """One DUT at 10.0.0.1 and fd00:10::1 (namespace bgn1) and scripted neighbours 10.0.0.101, .102 … (bgx).

    neighbours: key -> members of the neighbour (README.md of ../bgp), and: v6 (over fd00:10::100 …), rid.
    Not dialled unless connectRetry says so: the peers dial, so that a test knows when."""

    def __init__(self, kind, name, neighbours, networks=('10.1.0.0/24',), ecmp=1, start=True, addresses=(), **spec):
        self.L = Lab(name)
        self.L.node('bgn1', [DUT + '/24', DUT6 + '/64'])
        self.nb, specs, mine = {}, [], []
        for i, (k, given) in enumerate(neighbours.items()):
            v = dict(given)
            v6, rid = v.pop('v6', False), v.pop('rid', '10.0.0.%d' % (101 + i))
            address = v.pop('address', ('fd00:10::%x' % (0x100 + i)) if v6 else '10.0.0.%d' % (101 + i))
            v.setdefault('remoteAs', EBGP + i)
            v.setdefault('connectRetry', 30)
            v.setdefault('families', ['ipv6'] if v6 else ['ipv4'])
            v.setdefault('localAddress', DUT6 if v6 else DUT)
            specs.append(nbr(name=k, address=address, **v))
            self.nb[k] = dict(addr=address, asn=v['remoteAs'], rid=rid, v6=v6, ibgp=v['remoteAs'] == (v.get('localAs') or AS), spec=specs[-1])
            if '/' not in address:
                mine.append(address + ('/64' if ':' in address else '/24'))
        self.L.node(PX, mine + list(addresses))
        if kind == 'bird':                      # 2.0.12 has no word for it
            for x in specs:
                x['enhancedRouteRefresh'] = True
        self.d = make(kind, self.L, node_spec('bgn1', DUT, AS, specs, list(networks), ecmp=ecmp, **spec))
        if start:
            self.d.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def caps(self, k, *more):
        """the usual capabilities of that neighbour, and more"""
        n = self.nb[k]
        families = [cap_mp(2 if f == 'ipv6' else 1) for f in n['spec']['families']]
        return families + [CAP_RR, cap_as4(n['asn'])] + list(more)

    def reload(self, k, **members):
        if self.d.kind == 'bird':
            members.pop('enhancedRouteRefresh', None)
        self.spec(k).update(members)
        self.d.reconfigure()

    def up(self, k, more=(), **kw):
        kw.setdefault('caps', self.caps(k, *more))
        return super().up(k, **kw)

    def announce(self, p, k, prefix, **attributes):
        p.send(route(self.nb[k], prefix, **attributes))

    def spec(self, k):
        """the neighbour in the DUT's configuration; changes count from reconfigure() on"""
        address = self.nb[k]['addr']
        return next(n for n in self.d.spec['neighbors'] if n['address'] == address)


def path_attributes(n, path=None, origin=0, med=None, lp=None, originator=None, clusters=(), nh=None, communities=(), extra=()):
    """of a route of neighbour n, in ascending order but for `extra`; iBGP: empty AS_PATH and LOCAL_PREF 100 unless given"""
    if path is None:
        path = [] if n['ibgp'] else [n['asn']]
    a = [a_origin(origin), a_aspath(path) if not isinstance(path, bytes) else attr(0x40, 2, path)]
    if nh != '':
        a.append(a_nexthop(nh or n['addr']))
    if med is not None:
        a.append(a_med(med))
    if n['ibgp'] or lp is not None:
        a.append(a_localpref(100 if lp is None else lp))
    if communities:
        a.append(a_communities(communities))
    if originator:
        a.append(a_originator(originator))
    if clusters:
        a.append(a_clusterlist(clusters))
    return a + list(extra)


def route(n, prefix, **given):
    """UPDATE with one prefix, of either family"""
    prefixes = [prefix] if isinstance(prefix, str) else prefix
    if ':' not in prefixes[0]:
        return update(path_attributes(n, **given), prefixes)
    nh = given.pop('nh', None) or n['addr']
    return update([a_mp_reach(2, nh, prefixes)] + path_attributes(n, nh='', **given))


def gone(prefix):
    return update(a_mp_unreach(2, [prefix])) if ':' in prefix else update(withdrawn=[prefix])


def all_installed(d, *routes):
    """every (prefix, via) in the kernel"""
    table = {4: None, 6: None}
    for prefix, via in routes:
        v = 6 if ':' in prefix else 4
        if table[v] is None:
            table[v] = fib(d.ns, v)
        found = table[v].get(str(ipaddress.ip_network(prefix)))
        if not found or (via is not None and found['via'] != sorted([via] if isinstance(via, str) else via)):
            return False
    return True


def holds(condition, seconds):
    """condition() is true now and stays so"""
    end = time.time() + seconds
    while time.time() < end:
        if not condition():
            return False
        time.sleep(0.05)
    return True


def quiet(p, seconds=1.0, since=None):
    """nothing but KEEPALIVEs comes, and the connection stays"""
    n = len(p.log) if since is None else since
    time.sleep(seconds)
    return not p.closed and all(ty == KEEPALIVE for _, ty, _ in p.log[n:])


class Monitor:
    """`ip -o monitor route` in a namespace"""

    def __init__(self, lab, ns):
        self.file = os.path.join(lab.dir, 'monitor-%s-%d' % (ns, len(lab.procs)))
        self.proc = Proc(ns, ['ip', '-o', 'monitor', 'route'], self.file)
        lab.procs.append(self.proc)
        # It is listening once it has said something.
        def heard():
            ip('route replace blackhole 203.0.113.255', ns)
            ip('route del blackhole 203.0.113.255', ns)
            return os.path.getsize(self.file) > 0
        wait_for(heard, 5)

    def lines(self, prefix):
        name = prefix.removesuffix('/32').removesuffix('/128')
        with open(self.file) as f:
            return [l.strip() for l in f if name in l.split()]

    def deleted(self, *prefixes):
        """what was deleted of these; an empty list is what a test wants"""
        time.sleep(0.2)
        return [l for p in prefixes for l in self.lines(p) if l.startswith('Deleted')]


class Stream:
    """Packets from a namespace to an address, 50 a second: what a route is for"""

    def __init__(self, lab, ns, address):
        self.file = os.path.join(lab.dir, 'stream-%s-%d' % (ns, len(lab.procs)))
        self.proc = Proc(ns, ['ping', '-n', '-i', '0.02', address], self.file)
        lab.procs.append(self.proc)
        wait_for(lambda: 'bytes from' in open(self.file).read(), 5)

    def lost(self):
        """(how many were lost, how many were sent); the last one may still be on its way"""
        self.proc.stop(signal.SIGINT)
        m = re.search(r'(\d+) packets transmitted, (\d+) received', open(self.file).read())
        sent, received = int(m.group(1)), int(m.group(2))
        return max(0, sent - 1 - received), sent


class Sniffer:
    """IPv4 headers that arrive in a namespace from one address to TCP port 179, or from there, or to a UDP port"""

    def __init__(self, ns, dev='bge0'):
        with in_ns(ns):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.s.bind((dev, 0x0800))
        self.seen = []
        self.t = threading.Thread(target=self._read, daemon=True)
        self.t.start()

    def _read(self):
        while True:
            try:
                b, where = self.s.recvfrom(65535)
            except OSError:
                return
            if where[2] == socket.PACKET_OUTGOING or len(b) < 40:
                continue
            hl = (b[0] & 15) * 4
            sport, dport = struct.unpack('!HH', b[hl:hl + 4])
            if b[9] == 6:
                payload = len(b[hl + (b[hl + 12] >> 4) * 4:struct.unpack('!H', b[2:4])[0]])
            else:
                payload = b[hl + 8:]
            self.seen.append(dict(src=socket.inet_ntoa(b[12:16]), dst=socket.inet_ntoa(b[16:20]), proto=b[9], ttl=b[8], tos=b[1], sport=sport, dport=dport, payload=payload, t=time.time()))

    def bgp(self, dst):
        """packets with BGP in them, to that address"""
        return [x for x in self.seen if x['proto'] == 6 and x['dst'] == dst and 179 in (x['sport'], x['dport']) and x['payload']]

    def bfd(self, dst):
        return [x for x in self.seen if x['proto'] == 17 and x['dst'] == dst and x['dport'] == 3784]

    def close(self):
        self.s.close()


ADMIN_DOWN, DOWN, INIT, UP = 0, 1, 2, 3


class Bfd:
    """One end of a single-hop BFD session, 100 ms both ways, multiplier 3"""

    def __init__(self, ns, local, remote, ttl=255, start=True):
        self.remote = remote
        with in_ns(ns):
            self.rx = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.tx = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rx.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.rx.bind((local, 3784))
        self.rx.settimeout(0.1)
        self.tx.bind((local, 49152 + 77))
        self.tx.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        self.state, self.diag, self.mine, self.yours = DOWN, 0, 0x0b0b0001, 0
        self.forced = None                  # a state to send whatever comes
        self.heard = None                   # (state, diag) of the last packet of the other end
        self.silent = not start
        self.end = threading.Event()
        threading.Thread(target=self._send, daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()

    def packet(self):
        state = self.state if self.forced is None else self.forced
        return struct.pack('!BBBBIIIII', 0x20 | self.diag, state << 6, 3, 24, self.mine, self.yours, 100000, 100000, 0)

    def _send(self):
        while not self.end.wait(0.09):
            if not self.silent:
                try:
                    self.tx.sendto(self.packet(), (self.remote, 3784))
                except OSError:
                    pass

    def _read(self):
        while not self.end.is_set():
            try:
                b, where = self.rx.recvfrom(100)
            except (socket.timeout, TimeoutError):
                continue
            except OSError:
                return
            if where[0] != self.remote or len(b) < 24:
                continue
            theirs = b[1] >> 6
            self.heard = (theirs, b[0] & 31)
            self.yours = struct.unpack('!I', b[4:8])[0]
            if self.state == DOWN:
                self.state = {DOWN: INIT, INIT: UP}.get(theirs, DOWN)
            elif self.state == INIT:
                self.state = UP if theirs in (INIT, UP) else INIT if theirs == DOWN else DOWN
            elif theirs in (DOWN, ADMIN_DOWN):
                self.state = DOWN
            if b[1] & 0x20 and not self.silent:                 # Poll: answered with Final at once
                p = bytearray(self.packet())
                p[1] |= 0x10
                self.tx.sendto(bytes(p), where[:1] + (3784,))

    def both_up(self, timeout=10):
        return wait_for(lambda: self.state == UP and self.heard and self.heard[0] == UP, timeout)[0]

    def close(self):
        self.end.set()
        self.rx.close()
        self.tx.close()
