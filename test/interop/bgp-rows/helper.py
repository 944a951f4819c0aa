"""Row 32: graceful restart of a neighbour, RFC 4724 and 8538; the DUT is the helper."""
from stand import *

A, B = '72.%d.0.0/24', '72.%d.1.0/24'


def gr(*families, restart=False, time_s=60, notif=False):
    """the capability; families: (AFI, Forwarding)"""
    return [cap_gr(restart, time_s, tuple((afi, 1, f) for afi, f in families or ((1, True),)), notif)]


class Restarter:
    """One neighbour that has announced two prefixes, with End-of-RIB, and a third router that has them too"""

    def __init__(self, s, i, obs, **capability):
        self.s, self.k, self.obs = s, 'g%d' % i, obs
        self.n = s.nb[self.k]
        self.a, self.b = A % i, B % i
        self.p = s.up(self.k, gr(**capability))
        if self.p:
            s.announce(self.p, self.k, [self.a, self.b])
            self.p.send(EOR4)
        self.ready = self.p and wait_for(lambda: self.both() and self.told(), 5)[0]
        time.sleep(0.2)

    def both(self):
        return all_installed(self.s.d, (self.a, self.n['addr']), (self.b, self.n['addr']))

    def none(self):
        f = fib('bgn1')
        return self.a not in f and self.b not in f

    def told(self):
        return self.a in self.obs.rib and self.b in self.obs.rib

    def back(self, timeout=15, **capability):
        capability.setdefault('restart', True)
        self.p = self.s.up(self.k, gr(*capability.pop('families', ()), **capability), timeout=timeout)
        return self.p

    def again(self, *prefixes, eor=True):
        if prefixes:
            self.s.announce(self.p, self.k, list(prefixes))
        if eor:
            self.p.send(EOR4)


def sc_helper(c, kind):
    """graceful restart of a neighbour"""
    both = dict(gracefulRestart=dict(time=60, restarting=True))
    nbs = {'obs': {}} | {'g%d' % i: dict(both, holdTime=90) for i in range(20)}
    for i in (9, 10):
        nbs['g%d' % i]['holdTime'] = 3
    nbs['g12']['gracefulRestart'] = dict(time=60, restarting=False)
    nbs['g13']['families'] = ['ipv4', 'ipv6']
    nbs['g14']['gracefulRestart'] = None
    with Stand(kind, 'helper', nbs, addresses=['fd00:10::201/64']) as s:
        obs = s.up('obs')
        m = Monitor(s.L, 'bgn1')
        start = lambda i, **k: Restarter(s, i, obs, **k)
        lost = lambda *prefixes: [p for _, u in obs.updates() for p in u['withdrawn'] if p in prefixes]

        # three that go at the same time: by FIN, by RST, and for longer than their restart time
        fin, rst, late = start(0), start(1), start(2, time_s=3)
        if not c.ok('G00', 'sessions Established, routes in the kernel and at a third router', fin.ready and rst.ready and late.ready):
            return
        fin.p.close()
        rst.p.abort()
        late.p.close()
        t0 = time.time()
        time.sleep(2)
        c.ok('G01', 'the connection ends by FIN: routes stay in the kernel and at a third router', fin.both() and fin.told() and not m.deleted(fin.a, fin.b))
        c.ok('G02', 'by RST: the same', rst.both() and rst.told() and not m.deleted(rst.a, rst.b))
        v = late.both()
        v2, t = wait_for(late.none, 6)
        c.ok('G03', 'the restart time of 3 s is over: they leave', v and v2 and 2.4 <= time.time() - t0 <= 5.5 and wait_for(lambda: not late.told(), 3)[0], '%.1f s' % (time.time() - t0))
        fin.back()
        fin.again(fin.a, eor=False)
        time.sleep(1)
        c.ok('G04', 'it is back with Restart and Forwarding, and has announced one of the two: both are there until End-of-RIB', fin.p and fin.both() and fin.told())
        fin.p.send(EOR4)
        v, t = wait_for(lambda: not installed(s.d, fin.b), 4)
        v2 = fin.obs.wait_rib(fin.b, 3, False)
        x = m.deleted(fin.a)
        c.ok('G05', 'End-of-RIB: the other one leaves, that which was announced again was never deleted nor withdrawn', v and v2 and installed(s.d, fin.a, fin.n['addr']) and not x and not lost(fin.a), x)
        rst.back(families=((1, False),))
        v, t = wait_for(rst.none, 3)
        c.ok('G06', 'back with Forwarding clear: stale routes leave at once, before any End-of-RIB', rst.p and v, '%.1f s' % t)

        nofam, nocap = start(3), start(4)
        nofam.p.close()
        nocap.p.close()
        time.sleep(0.5)
        v = nofam.both() and nocap.both()
        nofam.p = s.up(nofam.k, [cap(64, struct.pack('!H', 0x8000 | 60))])
        v2, t = wait_for(nofam.none, 3)
        c.ok('G07', 'back, and the family is not in its capability: they leave at once', v and nofam.p and v2)
        nocap.p = s.up(nocap.k)
        v2, t = wait_for(nocap.none, 3)
        c.ok('G08', 'back without the capability: they leave at once', v and nocap.p and v2)

        cease, hard, soft = start(5), start(6, notif=True), start(7, notif=True)
        cease.p.send(notification(6, 2))
        hard.p.send(notification(6, 9, b'\6\2'))
        soft.p.send(notification(6, 4))
        v, t = wait_for(cease.none, 3)
        c.ok('G09', 'it says Cease, and has no N bit: routes leave at once', cease.ready and v and t < 2)
        v, t = wait_for(hard.none, 3)
        c.ok('G10', 'it says Cease/Hard Reset (RFC 8538): routes leave at once', hard.ready and v)
        time.sleep(1)
        v = soft.both() and soft.told()
        n = capset(soft.p.remote_open).get(64, b'\0\0')[0] & 0x40
        c.ok('G11', 'both have the N bit, it says Cease/Administrative Reset: routes stay (RFC 8538)', soft.ready and n and v, 'our N bit: %s' % bool(n))

        plain, quietly = start(9), start(10, notif=True)
        # holdTime 3: silent from here on
        for r in (plain, quietly):
            r.p.ka_stop.set()
        v, t = wait_for(plain.none, 8)
        c.ok('G12', 'the hold timer ends the session, no N bit: routes leave', plain.ready and v)
        quietly.p.wait_closed(3)
        time.sleep(1)
        c.ok('G13', 'the hold timer ends the session, both have the N bit: routes stay (RFC 8538)', quietly.ready and quietly.both() and quietly.told())

        twice = start(11)
        twice.p.close()
        time.sleep(0.4)
        twice.back()
        twice.again(twice.a, eor=False)
        time.sleep(0.6)
        v = twice.both()
        twice.p.close()
        v2, t = wait_for(lambda: not installed(s.d, twice.b), 4)
        time.sleep(0.5)
        c.ok('G14', 'it goes again before its End-of-RIB: what was stale already leaves, what it had announced again stays', v and v2 and installed(s.d, twice.a), sorted(x for x in fib('bgn1') if x.startswith('72.11')))
        twice.back()
        twice.again(twice.a, twice.b)
        v, t = wait_for(twice.both, 4)
        x = m.deleted(twice.a)
        c.ok('G15', 'back once more: both are there, that one was never deleted', twice.p and v and not x, x)

        only = start(12)
        g = only.p and capset(only.p.remote_open).get(64)
        only.p.close()
        time.sleep(1)
        v = only.both()
        only.back()
        only.again(only.a, only.b)
        c.ok('G16', 'restarting false: capability without families, and a helper all the same', only.ready and g is not None and len(g) == 2 and v and only.p and not m.deleted(only.a, only.b), g and g.hex())

        n13 = s.nb['g13']
        p = s.up('g13', gr((1, True)))
        s.announce(p, 'g13', '72.13.0.0/24')
        s.announce(p, 'g13', 'fd72:13::/64', nh='fd00:10::201')
        p.send(EOR4 + eor(2))
        wait_for(lambda: all_installed(s.d, ('72.13.0.0/24', None), ('fd72:13::/64', None)), 4)
        p.close()
        v, t = wait_for(lambda: not installed(s.d, 'fd72:13::/64'), 3)
        time.sleep(0.5)
        c.ok('G17', 'the capability names IPv4 alone: IPv6 routes leave, IPv4 routes stay', v and installed(s.d, '72.13.0.0/24'))

        no = start(14)
        no.p.close()
        v, t = wait_for(no.none, 3)
        c.ok('G18', 'not configured here: routes leave at once, though the peer has the capability', no.ready and v and 64 not in capset(no.p.remote_open))
        k = 'g15'
        p = s.up(k)
        s.announce(p, k, '72.15.0.0/24')
        wait_for(lambda: installed(s.d, '72.15.0.0/24'), 4)
        p.close()
        v, t = wait_for(lambda: not installed(s.d, '72.15.0.0/24'), 3)
        c.ok('G19', 'configured here, the peer has not the capability: routes leave at once', v)

        half = start(16)
        old = half.p
        # it restarts, and its old connection is never ended: no FIN reaches us
        half.p = None
        q = dial(PX, half.n['addr'], DUT, timeout=5)
        ok = q and q.handshake(half.n['asn'], half.n['rid'], caps=s.caps(half.k, *gr(restart=True)))
        half.p = q
        v = old.wait_closed(3)
        if ok:
            half.again(half.a, half.b)
        time.sleep(0.7)
        x = m.deleted(half.a, half.b)
        c.ok('G20', 'it restarts and opens a new connection while the old one seems alive: the old one ends, routes are never deleted (RFC 4724 4.2)', half.ready and ok and v and half.both() and not x and not lost(half.a, half.b) and q.alive(0.3), (bool(ok), x, old.notif()))

        better = start(17)
        s.announce(obs, 'obs', better.a, path=[s.nb['obs']['asn'], 5])
        time.sleep(0.3)
        better.p.close()
        time.sleep(0.7)
        v = installed(s.d, better.a, better.n['addr'])
        c.ok('G21', 'a stale route is still the best one', better.ready and v)
        stay = start(18)
        stay.p.close()
        time.sleep(0.4)
        stay.back()
        stay.again(stay.a, stay.b)
        time.sleep(0.6)
        # and now for good
        stay.p.send(notification(6, 2))
        v, t = wait_for(stay.none, 3)
        c.ok('G22', 'after a graceful restart a Cease still ends everything', stay.ready and v)
        c.ok('G23', 'the third router kept its session', obs.alive(0.2))


def sc_daemons(c, kind):
    """daemons of others restart: bgpd of FRR, BIRD"""
    L = Lab('daemons')
    try:
        g = dict(time=60, restarting=True)
        for i in (1, 2, 3, 4):
            L.node('bgn%d' % i, ['10.0.0.%d/24' % i])

        def nb(i, asn, me, **k):
            return nbr(address='10.0.0.%d' % i, remoteAs=asn, localAddress='10.0.0.%d' % me, holdTime=90, gracefulRestart=g, **k)
        d = make(kind, L, node_spec('bgn1', '10.0.0.1', AS, [nb(2, 65002, 1), nb(3, 65003, 1), nbr(address='10.0.0.4', remoteAs=65004, localAddress='10.0.0.1')], ['10.1.0.0/24']))
        f = make('frr', L, node_spec('bgn2', '10.0.0.2', 65002, [nb(1, AS, 2)], ['10.2.0.0/24', '10.2.1.0/24']))
        b = make('bird', L, node_spec('bgn3', '10.0.0.3', 65003, [nb(1, AS, 3)], ['10.3.0.0/24', '10.3.1.0/24']))
        o = make('bird', L, node_spec('bgn4', '10.0.0.4', 65004, [nbr(address='10.0.0.1', remoteAs=AS, localAddress='10.0.0.4')]))
        for x in (f, b, o, d):
            x.start()
        theirs = ['10.2.0.0/24', '10.2.1.0/24', '10.3.0.0/24', '10.3.1.0/24']
        v, t = wait_for(lambda: all_installed(d, *[(p, None) for p in theirs]) and all(has_route('bgn4', p) for p in theirs), 25)
        if not c.ok('G30', 'FRR and BIRD as neighbours: routes in the kernel, and at a third router', v):
            return
        time.sleep(2)           # End-of-RIB, and whatever FRR still does
        m, third = Monitor(L, 'bgn1'), Monitor(L, 'bgn4')
        f.stop(hard=True, keep_zebra=True)
        time.sleep(1.5)
        c.ok('G31', 'bgpd of FRR is killed: its routes stay', all_installed(d, ('10.2.0.0/24', None), ('10.2.1.0/24', None)))
        f.start(gr=True)
        v, t = wait_for(lambda: f.established(), 25)
        time.sleep(3)
        x, y = m.deleted('10.2.0.0/24', '10.2.1.0/24'), third.deleted('10.2.0.0/24', '10.2.1.0/24')
        c.ok('G32', 'and started again: Established, no deletion in our kernel nor at the third router', v and not x and not y and all_installed(d, ('10.2.0.0/24', '10.0.0.2')), (x, y))
        b.stop(hard=True)
        time.sleep(1)
        b.start(gr=True)
        v, t = wait_for(lambda: b.established(), 25)
        time.sleep(2)
        x, y = m.deleted('10.3.0.0/24', '10.3.1.0/24'), third.deleted('10.3.0.0/24', '10.3.1.0/24')
        c.ok('G33', 'BIRD is killed and started again: the same', v and not x and not y and all_installed(d, ('10.3.0.0/24', '10.0.0.3')), (x, y))
        b.stop(hard=True)
        time.sleep(0.5)
        b.spec['networks'].remove('10.3.1.0/24')
        b.start(gr=True)
        v, t = wait_for(lambda: not installed(d, '10.3.1.0/24'), 20)
        c.ok('G34', 'and comes back without one of its networks: that one leaves, the other one was never deleted', v and installed(d, '10.3.0.0/24') and not m.deleted('10.3.0.0/24'), m.deleted('10.3.0.0/24'))
        b.stop()
        v, t = wait_for(lambda: not installed(d, '10.3.0.0/24'), 4)
        c.ok('G35', 'BIRD is stopped: its routes leave at once', v and t < 2, '%.2f s' % t)
    finally:
        L.close()


SCENARIOS = {'helper': sc_helper, 'daemons': sc_daemons}
