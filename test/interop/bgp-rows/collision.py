"""Row 29: connection collision, RFC 4271 6.8.  The connection that the speaker with the higher identifier has opened stays."""
from stand import *

HIGH, LOW = '10.0.0.200', '9.0.0.1'             # the DUT's is 10.0.0.1


def answered(p):
    """the OPEN of the DUT has been taken, and answered"""
    return p and any(ty == KEEPALIVE for _, ty, _ in p.log)


def ended(p):
    """how a connection ended"""
    n = p.notif()
    return n[:2] if n else ('closed without a NOTIFICATION' if p.closed else 'open')


def crossing(s, k, rid, mine_first):
    """both connections with an OPEN of the peer on each: (the one that the DUT dialled, the one that the peer dialled)"""
    n = s.nb[k]
    opening = open_msg(n['asn'], 90, rid, opt_caps(*s.caps(k)))
    l = Listener(PX, n['addr'])
    theirs = l.accept(15)
    if not theirs:
        l.close()
        return None, None
    theirs.expect(OPEN, 5)
    mine = dial(PX, n['addr'], DUT, timeout=5)
    l.close()
    if not mine:
        return theirs, None
    order = (mine, theirs) if mine_first else (theirs, mine)
    for p in order:
        try:
            p.send(opening)
        except OSError:
            pass
        time.sleep(0.3)
    return theirs, mine


def sc_collision(c, kind):
    """connection collision, both orders"""
    nbs = {'h%d' % i: dict(connectRetry=1, rid=HIGH) for i in range(2)} | {'l%d' % i: dict(connectRetry=1, rid=LOW) for i in range(2)} | {'est': dict(rid=HIGH), 'estl': dict(rid=LOW), 'obs': {}}
    with Stand(kind, 'collision', nbs) as s:
        obs = s.up('obs')
        rows = [('C01', 'h0', False), ('C02', 'h1', True), ('C03', 'l0', False), ('C04', 'l1', True)]
        for cid, k, mine_first in rows:
            higher = k[0] == 'h'
            text = 'the peer has the %s identifier, its OPEN comes first on the connection that %s dialled: that which %s dialled stays, 6/7 on the other' % (
                'higher' if higher else 'lower', 'it' if mine_first else 'the DUT', 'it' if higher else 'the DUT')
            theirs, mine = crossing(s, k, s.nb[k]['rid'], mine_first)
            if not (theirs and mine):
                c.ok(cid, text, False, 'no two connections: %s' % ((theirs, mine),))
                continue
            stays, goes = (mine, theirs) if higher else (theirs, mine)
            x = goes.wait_notification(4)
            closed = goes.wait_closed(2)
            stays.as4 = True
            stays.send(KA)
            stays.keepalives(10)
            ok = wait_for(lambda: answered(stays), 4)[0] and stays.wait_rib('10.1.0.0/24', 4)
            if ok:
                stays.send(route(s.nb[k], '63.0.%d.0/24' % int(cid[1:])))
            v, t = wait_for(lambda: installed(s.d, '63.0.%d.0/24' % int(cid[1:])), 4)
            c.ok(cid, text, x and x[:2] == (6, 7) and closed and ok and v and stays.alive(0.5), 'goes: %s; stays: %s' % (ended(goes), ended(stays)))
        for cid, k in (('C05', 'est'), ('C06', 'estl')):
            p = s.up(k)
            n = s.nb[k]
            if not p:
                c.ok(cid, 'a further connection while Established', False, 'no session')
                continue
            p.send(route(n, '63.1.%d.0/24' % (k == 'est')))
            wait_for(lambda: installed(s.d, '63.1.%d.0/24' % (k == 'est')), 4)
            p.wait_rib('10.1.0.0/24', 3)
            time.sleep(0.5)
            since = len(p.log)
            q = dial(PX, n['addr'], DUT, timeout=2)
            if q:
                try:
                    q.send(open_msg(n['asn'], 90, n['rid'], opt_caps(*s.caps(k))))
                except OSError:
                    pass
                q.wait_closed(4)
            c.ok(cid, 'a further connection while Established (%s identifier): closed, with 6/7 if at all, the session unharmed' % ('higher' if k == 'est' else 'lower'),
                 (not q or (q.closed and (not q.notif() or q.notif()[:2] == (6, 7)))) and quiet(p, 0.5, since) and installed(s.d, '63.1.%d.0/24' % (k == 'est')), q and ended(q))
        # a connection on which no OPEN ever comes does not keep the session from the other
        n = s.nb['h0']
        c.ok('C07', 'all the time a bystander saw nothing but routes', obs and obs.alive(0.2))
    with Stand(kind, 'mute', {'m': dict(connectRetry=1)}) as s:
        n = s.nb['m']
        l = Listener(PX, n['addr'])
        theirs = l.accept(10)           # and nothing is said on it
        p = s.up('m', timeout=8)
        l.close()
        ok = p and p.wait_rib('10.1.0.0/24', 5)
        c.ok('C08', 'the peer says nothing on the connection that the DUT dialled, and opens one itself: Established there', ok and p.alive(0.3), theirs and ended(theirs))
        c.ok('C09', 'and the mute one is closed', theirs and theirs.wait_closed(5), theirs and ended(theirs))


SCENARIOS = {'collision': sc_collision}
