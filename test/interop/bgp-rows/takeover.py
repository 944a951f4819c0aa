"""Row 26: a second path takes over.  In the kernel that is one replacement: `ip monitor` sees no deletion, so no packet is lost."""
from stand import *

FOUR, SIX = '56.%d.0.0/24', 'fd56:%d::/64'


def sc_takeover(c, kind):
    """the second path takes over: replaced, never deleted"""
    nbs = {'e1': {}, 'e2': {}, 's1': dict(v6=True), 's2': dict(v6=True), 'out': {}, 'h': dict(holdTime=3)}
    with Stand(kind, 'takeover', nbs, ecmp=1) as s:
        peers = {k: s.up(k, **(dict(hold=3) if k == 'h' else {})) for k in nbs}
        if not c.ok('T01', 'sessions Established', all(peers.values())):
            return
        at = {k: n['addr'] for k, n in s.nb.items()}
        both = lambda first, second, *prefixes: [s.announce(peers[k], k, p) for p in prefixes for k in (first, second)]
        both('e1', 'e2', *[FOUR % i for i in (1, 2, 3)])
        both('s1', 's2', *[SIX % i for i in (1, 2, 3)])
        s.announce(peers['h'], 'h', FOUR % 4)
        s.announce(peers['e2'], 'e2', FOUR % 4, path=[65101, 1])
        wait_for(lambda: all_installed(s.d, *[(FOUR % i, at['e1']) for i in (1, 2, 3)], *[(SIX % i, at['s1']) for i in (1, 2, 3)], (FOUR % 4, at['h'])), 6)
        m = Monitor(s.L, 'bgn1')
        for prefix in (FOUR % 1, SIX % 1):
            ip('addr add %s dev lo' % prefix.replace('.0/24', '.1/32').replace('::/64', '::1/128'), PX)
        streams = [Stream(s.L, 'bgn1', '56.1.0.1'), Stream(s.L, 'bgn1', 'fd56:1::1')]
        for k, p in (('e1', FOUR % 1), ('s1', SIX % 1)):
            peers[k].send(gone(p))
        v, t = wait_for(lambda: all_installed(s.d, (FOUR % 1, at['e2']), (SIX % 1, at['s2'])), 4)
        x = m.deleted(FOUR % 1)
        c.ok('T02', 'IPv4: the best path is withdrawn: the second one in its place, nothing deleted', v and not x, x)
        x = m.deleted(SIX % 1)
        c.ok('T03', 'IPv6: the same', v and not x, x)
        s.announce(peers['e1'], 'e1', FOUR % 2, path=[65100, 1])
        s.announce(peers['s1'], 's1', SIX % 2, path=[s.nb['s1']['asn'], 1])
        v, t = wait_for(lambda: all_installed(s.d, (FOUR % 2, at['e2']), (SIX % 2, at['s2'])), 4)
        x = m.deleted(FOUR % 2, SIX % 2)
        c.ok('T04', 'the best path is announced again and is worse: replaced, nothing deleted', v and not x, x)
        s.announce(peers['e1'], 'e1', FOUR % 1)
        s.announce(peers['s1'], 's1', SIX % 1)
        v, t = wait_for(lambda: all_installed(s.d, (FOUR % 1, at['e1']), (SIX % 1, at['s1'])), 4)
        x = m.deleted(FOUR % 1, SIX % 1)
        c.ok('T05', 'a better path comes: replaced, nothing deleted', v and not x, x)
        peers['e1'].send(notification(6, 2))
        peers['s1'].abort()
        v, t = wait_for(lambda: all_installed(s.d, *[(FOUR % i, at['e2']) for i in (1, 2, 3)], *[(SIX % i, at['s2']) for i in (1, 2, 3)]), 4)
        x = m.deleted(*[FOUR % i for i in (1, 2, 3)], *[SIX % i for i in (1, 2, 3)])
        c.ok('T06', 'the session of the best path ends (NOTIFICATION, RST): the second ones within 2 s, nothing deleted', v and t < 2 and not x, ('%.2f s' % t, x))
        x = [stream.lost() for stream in streams]
        c.ok('T09', 'through all that, a stream over the route loses no packet, IPv4 and IPv6', all(lost == 0 and sent > 40 for lost, sent in x), x)
        peers['h'].ka_stop.set()
        v, t = wait_for(lambda: installed(s.d, FOUR % 4, at['e2']), 8)
        x = m.deleted(FOUR % 4)
        c.ok('T07', 'the hold timer of the best path ends: replaced within 5 s, nothing deleted', v and t < 5.2 and not x, ('%.2f s' % t, x))
        u = peers['out'].updates()
        lost = [p for t, x in u for p in x['withdrawn'] if p.startswith('56.')]
        v, t = wait_for(lambda: flat_path(peers['out'].rib[FOUR % 1]) == [AS, 65101], 3)
        c.ok('T08', 'a third router is told the new path, and never that there is none', v and not lost, lost)


def sc_shrink(c, kind):
    """a route of several next hops grows and shrinks in place"""
    nbs = {'e1': {}, 'e2': {}, 'e3': {}, 's1': dict(v6=True), 's2': dict(v6=True)}
    with Stand(kind, 'shrink', nbs, ecmp=16) as s:
        peers = {k: s.up(k) for k in nbs}
        if not c.ok('T20', 'sessions Established', all(peers.values())):
            return
        at = {k: n['addr'] for k, n in s.nb.items()}
        s.announce(peers['e1'], 'e1', FOUR % 9)
        s.announce(peers['s1'], 's1', SIX % 9)
        wait_for(lambda: all_installed(s.d, (FOUR % 9, at['e1']), (SIX % 9, at['s1'])), 4)
        m = Monitor(s.L, 'bgn1')
        for k in ('e2', 'e3'):
            s.announce(peers[k], k, FOUR % 9)
        s.announce(peers['s2'], 's2', SIX % 9)
        v, t = wait_for(lambda: all_installed(s.d, (FOUR % 9, [at['e1'], at['e2'], at['e3']]), (SIX % 9, [at['s1'], at['s2']])), 4)
        x = m.deleted(FOUR % 9)
        c.ok('T21', 'IPv4: one next hop becomes three, nothing deleted', v and not x, x)
        peers['e1'].send(gone(FOUR % 9))
        peers['s1'].send(gone(SIX % 9))
        v, t = wait_for(lambda: all_installed(s.d, (FOUR % 9, [at['e2'], at['e3']])), 4)
        peers['e2'].abort()
        v2, t = wait_for(lambda: all_installed(s.d, (FOUR % 9, at['e3'])), 4)
        x = m.deleted(FOUR % 9)
        c.ok('T22', 'IPv4: three become two (withdrawn), become one (RST), nothing deleted', v and v2 and not x, x)
        # The kernel tells an IPv6 route's next hops one by one: that one goes may look like a deletion, that the last one goes must not.
        v, t = wait_for(lambda: all_installed(s.d, (SIX % 9, at['s2'])), 4)
        x = [l for l in m.deleted(SIX % 9) if at['s2'] in l.split()]
        c.ok('T23', 'IPv6: two next hops become one, which is there all the time', v and not x, (fib('bgn1', 6).get(SIX % 9), x))


SCENARIOS = {'takeover': sc_takeover, 'shrink': sc_shrink}
