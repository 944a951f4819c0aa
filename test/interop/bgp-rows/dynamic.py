"""Row 38: neighbours by prefix, passive neighbours; where the DUT listens and what it dials."""
from stand import *


def refused(ns, src, dst=DUT, port=179):
    """true when a connection is not accepted, or is closed before an OPEN"""
    p = dial(ns, src, dst, port, 1.5)
    if not p:
        return True
    o = p.expect(OPEN, 1.5)
    closed = p.wait_closed(1.5)
    p.close()
    return not o and closed


def dialled(address, seconds, port=179):
    l = Listener(PX, address, port)
    p = l.accept(seconds)
    l.close()
    if p:
        p.close()
    return bool(p)


def sc_dynamic(c, kind):
    """a range of neighbours"""
    nbs = {'range': dict(address='10.0.0.32/27', dynamicRange='10.0.0.32/27', remoteAs=65150), 'in': dict(address='10.0.0.40', remoteAs=65140), 'e': {},
           'six': dict(address='fd00:10::200/120', dynamicRange='fd00:10::200/120', remoteAs=65160, v6=True)}
    extra = ['10.0.0.%d/24' % i for i in (33, 34, 35, 64)] + ['fd00:10::205/64']
    with Stand(kind, 'dynamic', nbs, addresses=extra) as s:
        e = s.up('e')
        a, b = (session(PX, '10.0.0.%d' % i, 65150, '10.0.0.%d' % i) for i in (33, 34))
        c.ok('Y01', 'two peers of the range: both Established, routes come', a and b and a.wait_rib('10.1.0.0/24', 5) and b.wait_rib('10.1.0.0/24', 5))
        if not (a and b and e):
            return
        one = lambda i: dict(addr='10.0.0.%d' % i, asn=65150, ibgp=False)
        a.send(route(one(33), '62.0.0.0/24'))
        b.send(route(one(34), '62.1.0.0/24'))
        v, t = wait_for(lambda: all_installed(s.d, ('62.0.0.0/24', '10.0.0.33'), ('62.1.0.0/24', '10.0.0.34')), 5)
        c.ok('Y02', 'the routes of both in the kernel', v)
        c.ok('Y03', 'and each has those of the other', a.wait_rib('62.1.0.0/24', 4) and b.wait_rib('62.0.0.0/24', 4))
        r = bad_open(PX, '10.0.0.35', open_msg(65151, 90, '10.0.0.35', opt_caps(cap_mp(1), cap_as4(65151))), timeout=6)
        c.ok('Y04', 'a peer of the range with another AS: NOTIFICATION 2/2', r[:2] == (2, 2), r)
        c.ok('Y05', 'an address beside the range: refused', refused(PX, '10.0.0.64'))
        r = bad_open(PX, '10.0.0.40', open_msg(65150, 90, '10.0.0.40', opt_caps(cap_mp(1), cap_as4(65150))), timeout=6)
        p = session(PX, '10.0.0.40', 65140, '10.0.0.40')
        c.ok('Y06', 'an own neighbour inside the range goes before it: its own AS', r[:2] == (2, 2) and p, r)
        x = session(PX, 'fd00:10::205', 65160, '10.0.0.205', dst=DUT6, caps=[cap_mp(2), CAP_RR, cap_as4(65160)])
        c.ok('Y07', 'a range of IPv6 addresses: Established', x)
        a.close()
        v, t = wait_for(lambda: not installed(s.d, '62.0.0.0/24'), 3)
        c.ok('Y08', 'one of them ends: its routes leave, the other one stays', v and b.alive(0.5) and installed(s.d, '62.1.0.0/24'))
        c.ok('Y09', 'nobody of the range is dialled', not dialled('10.0.0.33', 4))
        a = session(PX, '10.0.0.33', 65150, '10.0.0.33', timeout=10)
        c.ok('Y10', 'and it may come again', a and a.wait_rib('62.1.0.0/24', 4))
        b.send(KA + msg(9))
        v = b.wait_closed(3)
        b = session(PX, '10.0.0.34', 65150, '10.0.0.34', timeout=10)
        c.ok('Y11', 'also after an error', v and b)
        c.ok('Y12', 'the neighbour outside is unharmed', e.alive(0.2))
    with Stand(kind, 'dynany', {'any': dict(address='10.0.0.32/27', dynamicRange='10.0.0.32/27', remoteAs=None)}, addresses=['10.0.0.33/24', '10.0.0.34/24']) as s:
        a = session(PX, '10.0.0.33', 65171, '10.0.0.33')
        b = session(PX, '10.0.0.34', 4200000017, '10.0.0.34')
        c.ok('Y13', 'remoteAs null: peers of any AS', a and b and a.wait_rib('10.1.0.0/24', 4))
        if a and b:
            b.send(route(dict(addr='10.0.0.34', asn=4200000017, ibgp=False), '62.2.0.0/24'))
            u = a.wait_rib('62.2.0.0/24', 4)
            c.ok('Y14', 'each is an external one', u and flat_path(u) == [AS, 4200000017], u and flat_path(u))


def sc_listen(c, kind):
    """passive, listenAddress, ports, local address"""
    nbs = {'pas': dict(passive=True, connectRetry=1), 'act': dict(connectRetry=1), 'port': dict(port=1790, connectRetry=1), 'src': dict(localAddress='10.0.0.9', connectRetry=1)}
    with Stand(kind, 'listen', nbs, start=False) as s:
        ip('addr add 10.0.0.9/24 dev bge0', 'bgn1')
        s.d.start()
        n = s.nb
        c.ok('Y20', 'a neighbour is dialled without being asked', dialled(n['act']['addr'], 8))
        c.ok('Y21', 'a passive one is not', not dialled(n['pas']['addr'], 5))
        p = s.up('pas')
        c.ok('Y22', 'but accepted', p)
        c.ok('Y23', "at the neighbour's port", dialled(n['port']['addr'], 8, 1790))
        l = Listener(PX, n['src']['addr'])
        y = l.accept(8)
        c.ok('Y24', 'from the localAddress', y and y.s.getpeername()[0] == '10.0.0.9', y and y.s.getpeername())
        o = y and y.handshake(n['src']['asn'], n['src']['rid'])
        u = o and y.wait_rib('10.1.0.0/24', 5)
        l.close()
        c.ok('Y25', 'which is the next hop of its routes', u and u['next_hop'] == '10.0.0.9', u and u['next_hop'])
        # lost, and dialled again
        y and y.close()
        c.ok('Y26', 'dialled again after the connection is lost', dialled(n['src']['addr'], 10))
    with Stand(kind, 'listenat', {'a': dict(localAddress='10.0.0.9'), 'b': {}}, listen='10.0.0.9', start=False) as s:
        ip('addr add 10.0.0.9/24 dev bge0', 'bgn1')
        s.d.start()
        p = session(PX, s.nb['a']['addr'], s.nb['a']['asn'], s.nb['a']['rid'], dst='10.0.0.9', timeout=6)
        c.ok('Y27', 'listenAddress: accepted at this address', p)
        q = dial(PX, s.nb['b']['addr'], DUT, timeout=1.5)
        c.ok('Y28', 'and nowhere else', not q)
    with Stand(kind, 'listenlist', {'a': {}, 'six': dict(v6=True)}, listen=[DUT, DUT6], start=False) as s:
        s.d.spec['listenPort'] = 1179
        s.d.start()
        a, six = s.nb['a'], s.nb['six']
        p = session(PX, a['addr'], a['asn'], a['rid'], port=1179, timeout=6)
        q = session(PX, six['addr'], six['asn'], six['rid'], dst=DUT6, caps=s.caps('six'), port=1179, timeout=6)
        c.ok('Y29', 'a list of listenAddresses, both families, and listenPort 1179', p and q)
        c.ok('Y30', 'nothing at port 179', not dial(PX, a['addr'], DUT, timeout=1))


SCENARIOS = {'dynamic': sc_dynamic, 'listen': sc_listen}
