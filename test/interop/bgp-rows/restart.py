"""Row 33: the DUT itself is killed and started with --graceful-restart (RFC 4724 4.1): nothing is deleted, anywhere."""
from stand import *

KEPT, LEFT = '73.0.0.0/24', '73.0.1.0/24'
BLACK, BLACK6 = '10.1.0.0/24', 'fd01::/64'
# How long own announcements may wait for somebody who does not come, seconds
DEFERRED = 13


def world(kind, name, start=True):
    """the DUT, a BIRD beside it (bgn2), scripted peers"""
    g = dict(time=60, restarting=True)
    nbs = {'p': dict(gracefulRestart=g, connectRetry=1), 'q': dict(gracefulRestart=g), 'six': dict(v6=True, gracefulRestart=g), 'bird': dict(address='10.0.0.2', remoteAs=65002, gracefulRestart=g, connectRetry=1)}
    s = Stand(kind, name, nbs, networks=[BLACK, BLACK6], start=False)
    ip('addr del 10.0.0.2/24 dev bge0', PX)
    s.L.node('bgn2', ['10.0.0.2/24'])
    s.b = make('bird', s.L, node_spec('bgn2', '10.0.0.2', 65002, [nbr(address=DUT, remoteAs=AS, localAddress='10.0.0.2', holdTime=90, connectRetry=1, gracefulRestart=g)], ['10.2.0.0/24']))
    s.b.start()
    s.d.start()
    s.gr = lambda restart=False, families=((1, 1, True),): [cap_gr(restart, 60, families)]
    return s


def sc_restart(c, kind):
    """the DUT is killed and comes back"""
    with world(kind, 'restart') as s:
        n = s.nb
        p, q, six = s.up('p', s.gr()), s.up('q', s.gr()), s.up('six', s.gr(families=((2, 1, True),)))
        if not c.ok('H00', 'sessions Established', p and q and six):
            return
        s.announce(p, 'p', [KEPT, LEFT])
        s.announce(six, 'six', 'fd73::/64')
        p.send(EOR4)
        q.send(EOR4)
        six.send(eor(2))
        routes = [(KEPT, n['p']['addr']), (LEFT, n['p']['addr']), ('10.2.0.0/24', '10.0.0.2'), ('fd73::/64', n['six']['addr'])]
        v, t = wait_for(lambda: all_installed(s.d, *routes) and has_route('bgn2', BLACK, DUT) and has_route('bgn2', KEPT), 20)
        c.ok('H01', 'routes in its kernel and at BIRD', v)
        g = capset(p.remote_open).get(64, b'\0\0')
        c.ok('H02', 'its first OPEN has not the Restart flag', not g[0] & 0x80, g.hex())
        time.sleep(2)
        mine, theirs = Monitor(s.L, 'bgn1'), Monitor(s.L, 'bgn2')
        ip('addr add 73.0.0.1/32 dev lo', PX)
        ip('addr add 10.1.0.9/32 dev lo', 'bgn1')
        streams = [Stream(s.L, 'bgn1', '73.0.0.1'), Stream(s.L, 'bgn2', '10.1.0.9')]
        ip('route add 73.9.0.0/24 via 10.0.0.2 proto static', 'bgn1')
        s.d.stop(hard=True)
        time.sleep(1.5)
        c.ok('H03', 'killed: its kernel routes stay, the blackholes of own networks too; BIRD keeps its route', all_installed(s.d, *routes) and fib('bgn1').get(BLACK, {}).get('type') == 'blackhole' and has_route('bgn2', BLACK, DUT))
        t0 = time.time()
        s.d.start(gr=True)
        p = s.up('p', s.gr(), timeout=15)
        g = p and capset(p.remote_open).get(64, b'\0\0')
        c.ok('H04', 'its OPEN: Restart, and Forwarding for IPv4', g and g[0] & 0x80 and b'\0\1\1\x80' in [g[i:i + 4] for i in range(2, len(g), 4)], g and g.hex())
        six = s.up('six', s.gr(families=((2, 1, True),)), timeout=15)
        g = six and capset(six.remote_open).get(64, b'\0\0')
        c.ok('H05', 'and Forwarding for IPv6', g and b'\0\2\1\x80' in [g[i:i + 4] for i in range(2, len(g), 4)], g and g.hex())
        q = s.up('q', s.gr(), timeout=15)
        six.send(update([a_mp_reach(2, n['six']['addr'], ['fd73::/64'])] + path_attributes(n['six'], nh='')) + eor(2))
        q.send(EOR4)
        time.sleep(1.5)
        s.announce(p, 'p', KEPT)
        sent = time.time()
        p.send(EOR4)
        t = q.wait_eor(1, DEFERRED)
        c.ok('H06', 'it chooses when every neighbour has said End-of-RIB: its own comes after that of the last one', t and t >= sent - 0.05, t and '%.2f s after' % (t - sent))
        c.ok('H07', 'and not much later', t and t <= sent + 3, t and '%.2f s after' % (t - sent))
        u = q.rib.get(KEPT)
        c.ok('H08', 'before it, all routes have been sent', u and q.rib.get(BLACK) and q.rib.get('10.2.0.0/24') and flat_path(u) == [AS, n['p']['asn']], sorted(q.rib))
        v, t = wait_for(lambda: not installed(s.d, LEFT), 6)
        c.ok('H09', 'what was not announced again leaves the kernel', v, '%.1f s' % t)
        time.sleep(1)
        x = mine.deleted(KEPT, '10.2.0.0/24', 'fd73::/64', BLACK, BLACK6)
        c.ok('H10', 'its own kernel: none of the others was deleted, not for a moment', not x and all_installed(s.d, *[r for r in routes if r[0] != LEFT]) and fib('bgn1').get(BLACK, {}).get('type') == 'blackhole', x)
        x = theirs.deleted(BLACK, KEPT)
        c.ok('H11', "BIRD's kernel: neither", not x and has_route('bgn2', BLACK, DUT) and has_route('bgn2', KEPT), x)
        c.ok('H12', 'BIRD has lost what is gone', wait_for(lambda: not has_route('bgn2', LEFT), 5)[0])
        c.ok('H13', 'a route of somebody else is untouched', fib('bgn1').get('73.9.0.0/24', {}).get('proto') == 'static')
        x = [stream.lost() for stream in streams]
        c.ok('H15', 'streams over a route of its own kernel, and from BIRD to a network of its, lose no packet from before the end to now', all(lost == 0 and sent > 100 for lost, sent in x), x)
        # a second time, while it runs again
        s.d.stop(hard=True)
        time.sleep(0.5)
        s.d.start(gr=True)
        p, q, six = s.up('p', s.gr(), timeout=15), s.up('q', s.gr(), timeout=15), s.up('six', s.gr(families=((2, 1, True),)), timeout=15)
        s.announce(p, 'p', KEPT)
        s.announce(six, 'six', 'fd73::/64')
        for x in (p, q):
            x.send(EOR4)
        six.send(eor(2))
        v = q.wait_eor(1, DEFERRED)
        time.sleep(1)
        x = mine.deleted(KEPT, '10.2.0.0/24', 'fd73::/64', BLACK, BLACK6) + theirs.deleted(BLACK, KEPT)
        c.ok('H14', 'killed and started a second time: the same', v and not x and all_installed(s.d, (KEPT, n['p']['addr']), ('fd73::/64', n['six']['addr'])), x)


def sc_deferral(c, kind):
    """who is waited for, and how long"""
    with world(kind, 'deferral') as s:
        n = s.nb
        p, q = s.up('p', s.gr()), s.up('q', s.gr())
        for x in (p, q):
            x and x.send(EOR4)
        s.announce(p, 'p', KEPT)
        v, t = wait_for(lambda: installed(s.d, KEPT) and has_route('bgn2', BLACK, DUT), 20)
        if not c.ok('H20', 'sessions Established, routes there', p and q and v):
            return
        time.sleep(2)
        s.d.stop(hard=True)
        time.sleep(0.5)
        s.d.start(gr=True)
        t0 = time.time()
        q = s.up('q', s.gr(), timeout=15)
        q.send(EOR4)
        t = q.wait_eor(1, DEFERRED + 7)
        c.ok('H21', 'p and six stay down: its own networks are announced all the same within %d s' % DEFERRED, t and t - t0 <= DEFERRED and BLACK in q.rib, t and '%.1f s' % (t - t0))
        v, t = wait_for(lambda: not installed(s.d, KEPT), 20)
        c.ok('H22', 'and what nobody announces any more leaves the kernel', v, '%.1f s' % t)
    with world(kind, 'mute') as s:
        p, q = s.up('p', s.gr()), s.up('q', s.gr())
        wait_for(lambda: has_route('bgn2', BLACK, DUT), 20)
        time.sleep(1)
        s.d.stop(hard=True)
        time.sleep(0.5)
        s.d.start(gr=True)
        t0 = time.time()
        p, q = s.up('p', s.gr(), timeout=15), s.up('q', s.gr(), timeout=15)
        q.send(EOR4)                    # p never says it
        t = q.wait_eor(1, DEFERRED + 7)
        c.ok('H23', 'a neighbour never says End-of-RIB: %d s at most' % DEFERRED, t and t - t0 <= DEFERRED, t and '%.1f s' % (t - t0))
    with world(kind, 'bothdown') as s:
        s.b.stop()
        six = s.up('six', s.gr(families=((2, 1, True),)))
        p, q = s.up('p', s.gr()), s.up('q', s.gr())
        time.sleep(1)
        s.d.stop(hard=True)
        time.sleep(0.5)
        s.d.start(gr=True)
        p, q = s.up('p', s.gr(restart=True), timeout=15), s.up('q', timeout=15)
        t0 = time.time()
        v = p and q and p.wait_rib(BLACK, DEFERRED)
        c.ok('H24', 'the neighbours restart too (Restart flag), or have not the capability: their End-of-RIB is not waited for, nor ours held up', v and q.wait_rib(BLACK, DEFERRED), '%.1f s' % (time.time() - t0))


def sc_afresh(c, kind):
    """killed, and started as if nothing had been"""
    with world(kind, 'afresh') as s:
        n = s.nb
        p, q = s.up('p', s.gr()), s.up('q', s.gr())
        s.announce(p, 'p', [KEPT, LEFT])
        for x in (p, q):
            x.send(EOR4)
        wait_for(lambda: installed(s.d, LEFT) and has_route('bgn2', BLACK, DUT), 20)
        ip('route add 73.9.0.0/24 via 10.0.0.2 proto static', 'bgn1')
        s.d.stop(hard=True)
        time.sleep(0.5)
        s.d.spec['networks'] = ['10.1.7.0/24']
        s.d.start()
        p = s.up('p', s.gr(), timeout=15)
        g = p and capset(p.remote_open).get(64, b'\0\0')
        c.ok('H30', 'started without --graceful-restart: no Restart flag', g and not g[0] & 0x80, g and g.hex())
        s.announce(p, 'p', KEPT)
        p.send(EOR4)
        v, t = wait_for(lambda: installed(s.d, KEPT) and not installed(s.d, LEFT) and BLACK not in fib('bgn1'), 25)
        c.ok('H31', 'routes of its life before that nobody announces leave the kernel, the blackhole of a network that is no more its own, too', v, sorted(k for k, x in fib('bgn1').items() if x['proto'] != 'kernel'))
        c.ok('H32', 'a route of somebody else is untouched', fib('bgn1').get('73.9.0.0/24', {}).get('proto') == 'static')
        s.d.stop()
        x = p.wait_notification(4)
        v, t = wait_for(lambda: not has_route('bgn2', '10.1.7.0/24'), 4)
        c.ok('H33', 'SIGTERM with graceful restart configured: Cease, and BIRD loses the routes within 2 s', x and x[0] == 6 and x[1] in (2, 3, 9) and v and t < 2, (x, '%.2f s' % t))
    with Stand(kind, 'nogr', {'o': {}}) as s:
        o = s.up('o')
        o.wait_rib(BLACK, 5)
        s.d.stop(hard=True)
        v = o.wait_closed(3)
        c.ok('H34', 'without graceful restart: killed, the connection ends', v)
        s.d.start()
        o = s.up('o', timeout=15)
        c.ok('H35', 'and it starts again beside what it left', o and o.wait_rib(BLACK, 5))


SCENARIOS = {'restart': sc_restart, 'deferral': sc_deferral, 'afresh': sc_afresh}
