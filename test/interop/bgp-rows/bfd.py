"""Row 35: BFD (RFC 5880, 5881) beside the session."""
from stand import *
from stand import UP as BFD_UP

DEST, DETECT = '75.0.0.0/24', 1.5


def sc_bfd(c, kind):
    """BFD with BIRD: a silent loss"""
    L = Lab('bfd')
    try:
        for i in (1, 2, 3):
            L.node('bgn%d' % i, ['10.0.0.%d/24' % i])
        nb = lambda i, asn, me, **k: nbr(address='10.0.0.%d' % i, remoteAs=asn, localAddress='10.0.0.%d' % me, holdTime=90, connectRetry=1, **k)
        d = make(kind, L, node_spec('bgn1', DUT, AS, [nb(2, 65002, 1, bfd=True), nb(3, 65003, 1)], ['10.1.0.0/24']))
        b = make('bird', L, node_spec('bgn2', '10.0.0.2', 65002, [nb(1, AS, 2, bfd=True)], ['10.2.0.0/24']))
        o = make('bird', L, node_spec('bgn3', '10.0.0.3', 65003, [nb(1, AS, 3)], ['10.3.0.0/24']))
        for x in (b, o, d):
            x.start()
        up = lambda: any(l.split()[:1] == [DUT] and 'Up' in l.split() for l in b.ctl('show bfd sessions').splitlines())
        v, t = wait_for(lambda: up() and b.established(), 25)
        c.ok('B01', 'BFD is Up at BIRD, the session Established', v, '%.1f s' % t)
        wait_for(lambda: all_installed(d, ('10.2.0.0/24', None), ('10.3.0.0/24', None)) and has_route('bgn3', '10.2.0.0/24'), 10)
        row = next((l.split() for l in b.ctl('show bfd sessions').splitlines() if l.split()[:1] == [DUT]), [])
        c.ok('B02', '100 ms, three times: what BIRD sees of it', row[-2:] == ['0.100', '0.300'], row)
        time.sleep(1)
        L.drop('bgn2', True)
        t0 = time.time()
        v, t = wait_for(lambda: not installed(d, '10.2.0.0/24'), 6, 0.02)
        c.ok('B03', 'a silent loss, hold time 90 s: its routes leave the kernel within 1.5 s', v and t <= DETECT, '%.2f s' % t)
        c.ok('B04', 'and those of a neighbour without BFD stay; it loses the others', installed(d, '10.3.0.0/24') and wait_for(lambda: not has_route('bgn3', '10.2.0.0/24'), 3)[0])
        L.drop('bgn2', False)
        v, t = wait_for(lambda: up() and all_installed(d, ('10.2.0.0/24', '10.0.0.2')), 40)
        c.ok('B05', 'the way is mended: BFD is Up again, routes are back within 40 s', v, '%.1f s' % t)
        time.sleep(1)
        d.proc.pause()
        v, t = wait_for(lambda: not has_route('bgn2', '10.1.0.0/24'), 6, 0.02)
        c.ok('B06', 'the DUT hangs (SIGSTOP): BIRD notices within 1.5 s', v and t <= DETECT, '%.2f s' % t)
        d.proc.cont()
        v, t = wait_for(lambda: up() and has_route('bgn2', '10.1.0.0/24') and installed(d, '10.2.0.0/24'), 40)
        c.ok('B07', 'and goes on (SIGCONT): all is back', v, '%.1f s' % t)
        said = os.path.getsize(b.path('bird.log'))
        d.stop()
        v, t = wait_for(lambda: not has_route('bgn2', '10.1.0.0/24'), 4)
        # Its last error may be another by then: it begins again at once, and finds nobody.
        with open(b.path('bird.log')) as f:
            f.seek(said)
            lines = [l.strip() for l in f if ' p0: ' in l]
        c.ok('B08', 'a clean stop is told by Cease, not found by BFD', v and t < 2 and lines and 'Received: Administrative shutdown' in lines[0], lines)
    finally:
        L.close()


def sc_bfdpeers(c, kind):
    """BFD over IPv6 with BIRD, and with FRR's bfdd"""
    L = Lab('bfdpeers')
    try:
        for i in (1, 2, 3):
            L.node('bgn%d' % i, ['10.0.0.%d/24' % i, 'fd00:10::%d/64' % i])
        six = lambda i, asn, me, **k: nbr(address='fd00:10::%d' % i, remoteAs=asn, localAddress='fd00:10::%d' % me, holdTime=90, connectRetry=1, families=['ipv6'], bfd=True)
        four = lambda i, asn, me: nbr(address='10.0.0.%d' % i, remoteAs=asn, localAddress='10.0.0.%d' % me, holdTime=90, connectRetry=1, bfd=True)
        d = make(kind, L, node_spec('bgn1', DUT, AS, [six(2, 65002, 1), four(3, 65003, 1)], ['10.1.0.0/24', 'fd01::/64']))
        b = make('bird', L, node_spec('bgn2', '10.0.0.2', 65002, [six(1, AS, 2)], ['fd02::/64']))
        f = make('frr', L, node_spec('bgn3', '10.0.0.3', 65003, [four(1, AS, 3)], ['10.3.0.0/24']))
        for x in (b, f, d):
            x.start()
        there = lambda: all_installed(d, ('fd02::/64', None), ('10.3.0.0/24', '10.0.0.3'))
        v, t = wait_for(there, 30)
        up = lambda: any(l.split()[:1] == ['fd00:10::1'] and 'Up' in l.split() for l in b.ctl('show bfd sessions').splitlines())
        bfd_of = lambda: (f.vj('show bgp neighbors').get(DUT) or {}).get('peerBfdInfo', {}).get('status')
        v2, t = wait_for(lambda: up() and bfd_of() == 'Up', 15)
        c.ok('B40', 'BFD is Up at BIRD over IPv6, and at FRR', v and v2, bfd_of())
        time.sleep(1)
        for cid, node, prefix, who in (('B41', 'bgn2', 'fd02::/64', 'BIRD over IPv6'), ('B42', 'bgn3', '10.3.0.0/24', 'FRR')):
            L.drop(node, True)
            v, t = wait_for(lambda: not installed(d, prefix), 6, 0.02)
            L.drop(node, False)
            v2, t2 = wait_for(there, 60)
            c.ok(cid, '%s, a silent loss: its routes leave within 1.5 s, and are back when it is mended' % who, v and t <= DETECT and v2, '%.2f s, %.1f s' % (t, t2))
    finally:
        L.close()


def sc_bfdwire(c, kind):
    """BFD packet by packet"""
    nbs = {'x': dict(bfd=True), 'never': dict(bfd=True), 'far': dict(bfd=True), 'o': {}, 'v': dict(bfd=True)}
    with Stand(kind, 'bfdwire', nbs) as s:
        n = s.nb
        sniff = Sniffer(PX)
        x, never, far, o, v1 = (s.up(k) for k in ('x', 'never', 'far', 'o', 'v'))
        if not c.ok('B20', 'sessions are Established before BFD is', x and never and far and o and v1):
            return
        s.announce(never, 'never', '75.1.0.0/24')
        s.announce(x, 'x', DEST)
        end = Bfd(PX, n['x']['addr'], DUT)
        low = Bfd(PX, n['far']['addr'], DUT, ttl=254)
        c.ok('B21', 'BFD comes up, and the session stays', end.both_up(8) and x.alive(0.3) and installed(s.d, DEST), (end.state, end.heard))
        time.sleep(1.5)
        packets = sniff.bfd(n['x']['addr'])
        p = packets[-1] if packets else None
        c.ok('B22', 'packets: TTL 255, source port from 49152 on, always the same', p and {y['ttl'] for y in packets} == {255} and len({y['sport'] for y in packets}) == 1 and p['sport'] >= 49152, p)
        b = p and p['payload']
        c.ok('B23', 'version 1, state Up, multiplier 3, 24 octets, our discriminator, 100 ms and 100 ms', b and b[0] >> 5 == 1 and b[1] >> 6 == BFD_UP and b[2] == 3 and b[3] == 24 and struct.unpack('!I', b[8:12])[0] == end.mine and struct.unpack('!II', b[12:20]) == (100000, 100000), b and b.hex())
        gaps = [y['t'] - z['t'] for z, y in zip(packets[-11:], packets[-10:])]
        c.ok('B24', 'one every 75 to 100 ms (RFC 5880 6.8.7)', gaps and 0.06 <= sorted(gaps)[len(gaps) // 2] <= 0.11, [round(g, 3) for g in gaps])
        c.ok('B25', 'packets of TTL 254 are not taken (RFC 5881 5): that session stays down', low.heard is None or low.heard[0] == DOWN, low.heard)
        low.close()
        c.ok('B26', 'a neighbour whose BFD never comes keeps its session and its routes', never.alive(0.2) and installed(s.d, '75.1.0.0/24'))
        quietly = sniff.bfd(n['never']['addr'])[-6:]
        gaps = [y['t'] - z['t'] for z, y in zip(quietly, quietly[1:])]
        c.ok('B27', 'and is sent at most a packet a second (RFC 5880 6.8.3)', gaps and min(gaps) >= 0.7, [round(g, 2) for g in gaps])
        # not for this session: what would end it
        with in_ns(PX):
            k = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        k.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        k.bind((n['x']['addr'], 49200))
        wrong = [struct.pack('!BBBBIIIII', 0x20, DOWN << 6, 3, 24, end.mine, 0x12345678, 100000, 100000, 0),     # another discriminator
                 struct.pack('!BBBBIIIII', 0x40, DOWN << 6, 3, 24, end.mine, end.yours, 100000, 100000, 0),      # version 2
                 struct.pack('!BBBBIIIII', 0x20, DOWN << 6, 0, 24, end.mine, end.yours, 100000, 100000, 0),      # multiplier 0
                 struct.pack('!BBBBIIIII', 0x20, DOWN << 6, 3, 24, 0, end.yours, 100000, 100000, 0),             # my discriminator 0
                 struct.pack('!BBBBIIIII', 0x20, DOWN << 6, 3, 30, end.mine, end.yours, 100000, 100000, 0),      # longer than it is
                 struct.pack('!BBBBIIIII', 0x20, UP << 6, 3, 24, end.mine, 0, 100000, 100000, 0), b'', b'x' * 23]
        for w in wrong * 3:
            k.sendto(w, (DUT, 3784))
            time.sleep(0.03)
        k.close()
        time.sleep(0.5)
        c.ok('B28', 'packets with another discriminator, version, multiplier 0, or cut short are thrown away: nothing happens', x.alive(0.2) and end.state == UP and installed(s.d, DEST), (end.state, end.heard))
        end.forced, end.diag = DOWN, 1
        t0 = time.time()
        w = x.wait_notification(3)
        v, t = wait_for(lambda: not installed(s.d, DEST), 3)
        c.ok('B29', 'the other end says Down: the session ends at once, with Cease 6/10 (RFC 9384), routes leave', w and w[:2] == (6, 10) and v and time.time() - t0 <= DETECT, (w, '%.2f s' % (time.time() - t0)))
        end.forced, end.diag = None, 0
        x = s.up('x', timeout=15)
        c.ok('B30', 'and both come up again', x and end.both_up(10))
        s.announce(x, 'x', DEST)
        wait_for(lambda: installed(s.d, DEST), 4)
        end.forced = ADMIN_DOWN
        time.sleep(1)
        c.ok('B31', 'the other end takes BFD down by its administrator: the session stays (RFC 5882 4.2)', x.alive(0.2) and installed(s.d, DEST), x.notif())
        end.forced = None
        end.both_up(10)
        end.silent = True
        t0 = time.time()
        w = x.wait_notification(3)
        v, t = wait_for(lambda: not installed(s.d, DEST), 3)
        c.ok('B32', 'it falls silent: after 300 ms the session ends', v and time.time() - t0 <= DETECT and (w is None or w[:2] == (6, 10)), (w, '%.2f s' % (time.time() - t0)))
        end.close()
        # taken away and given at run time
        end = Bfd(PX, n['v']['addr'], DUT)
        up = end.both_up(8)
        s.reload('v', bfd=False)
        time.sleep(0.5)
        end.silent = True
        c.ok('B33', 'bfd becomes false: the session does not depend on it any more, and is not ended', up and v1.alive(1.5) or (v1.closed and s.up('v', timeout=15)), v1.notif())
        c.ok('B34', 'a neighbour without BFD is sent no packet, and unharmed', not sniff.bfd(n['o']['addr']) and o.alive(0.2))
        end.close()
        sniff.close()


SCENARIOS = {'bfd': sc_bfd, 'bfdpeers': sc_bfdpeers, 'bfdwire': sc_bfdwire}
