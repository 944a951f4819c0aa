#!/usr/bin/env python3
"""One route of a full table is withdrawn and announced again: how long until the speaker has passed that on.

  bgp-flap.py --duts bird,cmd --count 100000 --mode rib --flaps 200 --json FILE [--dut-cmd '… {conf} … {rib_only}']

Feeder and observer are sockets of this one process, in namespaces of their own: a flap is timed by one clock, from the call that
gives the UPDATE to the feeder's TCP until the last octet of the UPDATE that says the same has been read at the observer's.
"""
import argparse, json, os, random, socket, struct, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../test/interop/bgp'))
from lab import *
import bgplib as B
import feeder
import lab_bird1

PATIENCE = 300


class Observer:
    """reads UPDATEs, and knows which prefixes it has been told"""
    def __init__(self, ns, src, dst, asn):
        with B.in_ns(ns):
            self.s = socket.socket()
            self.s.bind((src, 0))
        self.s.settimeout(PATIENCE)
        self.s.connect((dst, 179))
        self.s.sendall(B.open_msg(asn, 0, src, B.opt_caps(B.cap_mp(1), B.CAP_RR, B.cap_as4(asn))))
        self.buf = b''
        self.have = set()
        while self.message()[0] != B.KEEPALIVE:
            self.s.sendall(B.KA)

    def message(self):
        while len(self.buf) < 19 or len(self.buf) < struct.unpack_from('!H', self.buf, 16)[0]:
            piece = self.s.recv(1 << 18)
            if not piece:
                raise EOFError('the speaker has ended the session')
            self.buf += piece
        length, kind = struct.unpack_from('!HB', self.buf, 16)
        body, self.buf = self.buf[19:length], self.buf[length:]
        return kind, body

    def update(self):
        """prefixes withdrawn and announced by the next UPDATE"""
        while True:
            kind, body = self.message()
            if kind == B.UPDATE:
                break
        withdrawn = struct.unpack_from('!H', body)[0]
        attributes = struct.unpack_from('!H', body, 2 + withdrawn)[0]
        gone, come = split(body[2:2 + withdrawn]), split(body[4 + withdrawn + attributes:])
        self.have.difference_update(gone)
        self.have.update(come)
        return gone, come


def split(nlri):
    found, at = [], 0
    while at < len(nlri):
        end = at + 1 + (nlri[at] + 7 >> 3)
        found.append(nlri[at:end])
        at = end
    return found


def one(kind, count, mode, flaps):
    r = dict(dut=kind, count=count, mode=mode)
    L = Lab('flap')
    f = None
    try:
        for ns, address in (('bgn1', '10.0.0.1'), ('bgf', '10.0.0.2'), ('bgo', '10.0.0.3')):
            L.node(ns, [address + '/24'])
        peers = [nbr(address=a, remoteAs=asn, localAddress='10.0.0.1', holdTime=240, passive=True) for a, asn in (('10.0.0.2', 65100), ('10.0.0.3', 65200))]
        d = make(kind, L, node_spec('bgn1', '10.0.0.1', 65001, peers, ['10.1.0.0/24'], kernel=mode == 'kernel', ecmp=1, fams=('ipv4',)))
        d.start()
        o, _ = wait_for(lambda: Observer('bgo', '10.0.0.3', '10.0.0.1', 65200), 40, 0.3)
        f, _ = wait_for(lambda: established(B.dial('bgf', '10.0.0.2', '10.0.0.1', 179, 10)), 40, 0.3)
        if not o or not f:
            return dict(r, error='no session')
        f.send(feeder.stream(count, 100, 65100, '10.0.0.2'))
        table = feeder.prefixes(count)
        while len(o.have) < count:
            o.update()
        time.sleep(8 if mode == 'kernel' else 2)               # the kernel has its share, too
        r['ms'] = []
        for _ in range(flaps):
            at = random.randrange(count)
            route = B.a_origin() + B.a_aspath([65100]) + B.a_nexthop('10.0.0.2') + B.a_med(at // 100)
            for octets, which in ((B.update(raw_withdrawn=table[at]), 0), (B.update(route, raw_nlri=table[at]), 1)):
                begin = time.perf_counter()
                f.s.sendall(octets)
                while table[at] not in o.update()[which]:
                    pass
                r['ms'].append(1000 * (time.perf_counter() - begin))
                time.sleep(random.uniform(0.005, 0.02))
        return r
    except Exception as e:
        return dict(r, error='%s: %s' % (type(e).__name__, str(e)[:300]))
    finally:
        if f:
            f.close()
        L.close()


def established(peer):
    if peer and peer.handshake(65100, '10.0.0.2', 0):
        return peer


if __name__ == '__main__':
    ap = argparse.ArgumentParser()
    ap.add_argument('--duts', default='bird')
    ap.add_argument('--count', type=int, default=100000)
    ap.add_argument('--mode', choices=['rib', 'kernel'], default='rib')
    ap.add_argument('--flaps', type=int, default=200)
    ap.add_argument('--json'); ap.add_argument('--dut-cmd')
    a = ap.parse_args()
    if a.dut_cmd:
        os.environ['BG_CMD'] = a.dut_cmd
    results = []
    for dut in a.duts.split(','):
        r = one(dut, a.count, a.mode, a.flaps)
        results.append(r)
        times = sorted(r.get('ms') or [float('nan')])
        print('%-14s %7d %-7s median %.3f ms, least %.3f, 90 %% below %.3f, most %.3f %s' % (dut, a.count, a.mode, times[len(times) // 2], times[0], times[len(times) * 9 // 10], times[-1], r.get('error', '')), flush=True)
    if a.json:
        with open(a.json, 'w') as out:
            json.dump(results, out)
