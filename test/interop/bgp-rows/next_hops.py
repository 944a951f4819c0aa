"""Row 31 and what else is said of next hops: IPv4 over IPv6 (RFC 8950), IPv6 over an IPv4 session, next hop self."""
from stand import *

EXT4 = cap_ext_nexthop(((1, 1, 2),))
LL = 'fe80::b:1'


def mp4(n, prefix, nh, ll=None, **given):
    """an IPv4 prefix in MP_REACH_NLRI"""
    return update([a_mp_reach(1, nh, [prefix], ll=ll)] + path_attributes(n, nh='', **given))


def sc_extnh(c, kind):
    """IPv4 with an IPv6 next hop"""
    nbs = {'x': dict(v6=True, families=['ipv4', 'ipv6'], extendedNextHop=True), 'no': dict(v6=True, families=['ipv4', 'ipv6']), 'e': {}, 'lack': dict(v6=True, families=['ipv4', 'ipv6'], extendedNextHop=True),
           'ebgp2': dict(v6=True, families=['ipv4', 'ipv6'], extendedNextHop=True)}
    with Stand(kind, 'extnh', nbs, networks=['10.1.0.0/24', 'fd01::/64'], addresses=['fe80::b:1/64']) as s:
        n = s.nb
        x, e, no, lack = s.up('x', [EXT4]), s.up('e'), s.up('no'), s.up('lack')
        if not c.ok('N00', 'sessions Established', x and e and no and lack):
            return
        at = n['x']['addr']
        c.ok('N01', 'capability 5: IPv4 unicast with IPv6 next hops; not there unasked', capset(x.remote_open).get(5, b'').hex() == '000100010002' and 5 not in capset(no.remote_open), [(a, b.hex()) for a, b in x.remote_open['caps']])
        x.send(mp4(n['x'], '65.0.0.0/24', at) + mp4(n['x'], '65.1.0.0/24', at, LL))
        v, t = wait_for(lambda: installed(s.d, '65.0.0.0/24', at), 4)
        c.ok('N02', 'an IPv4 prefix with an IPv6 next hop: `via inet6` in the kernel', v, sh('ip -n bgn1 route show 65.0.0.0/24'))
        v, t = wait_for(lambda: installed(s.d, '65.1.0.0/24', at) or installed(s.d, '65.1.0.0/24', LL), 4)
        c.ok('N03', 'a next hop of 32 octets, global and link-local: by one of the two', v, sh('ip -n bgn1 route show 65.1.0.0/24'))
        u = e.wait_rib('65.0.0.0/24', 4)
        c.ok('N04', 'passed on to a neighbour over IPv4: next hop is our IPv4 address', u and u['next_hop'] == DUT, u and u['next_hop'])
        reach = lambda p: [y['mp_reach'] for t, y in p.updates() if y['mp_reach'] and '10.1.0.0/24' in y['mp_reach']['nlri']]
        v, t = wait_for(lambda: reach(x), 3)
        c.ok('N05', 'our own IPv4 network there: MP_REACH_NLRI, next hop our IPv6 address', v and v[0]['afi'] == 1 and v[0]['nexthops'][0] == DUT6, v)
        x.send(update(a_mp_unreach(1, ['65.0.0.0/24'])))
        v, t = wait_for(lambda: not installed(s.d, '65.0.0.0/24'), 4)
        x.send(gone('65.1.0.0/24'))
        v2, t = wait_for(lambda: not installed(s.d, '65.1.0.0/24'), 4)
        c.ok('N06', 'withdrawn by MP_UNREACH_NLRI, and in the classic field', v and v2, (v, v2))
        x.send(route(dict(n['x'], addr=n['e']['addr']), '65.2.0.0/24'))
        v, t = wait_for(lambda: installed(s.d, '65.2.0.0/24', n['e']['addr']), 4)
        c.ok('N07', 'an IPv4 next hop there, in the classic way, is right too', v)
        x.send(mp4(n['x'], '65.3.0.0/24', 'fd00:99::1'))
        c.ok('N08', 'an IPv6 next hop that is not reachable: not used, the session stays', x.alive(0.7) and not installed(s.d, '65.3.0.0/24'))
        y = s.up('ebgp2', [EXT4])
        u = y and wait_for(lambda: [z['mp_reach'] for t, z in y.updates() if z['mp_reach'] and '65.2.0.0/24' in z['mp_reach']['nlri']] or [1 for t, z in y.updates() if '65.2.0.0/24' in z['nlri']], 4)[0]
        c.ok('N09', 'a route with an IPv4 next hop to a neighbour with the capability', u, u)
        # GoBGP sends this unasked (facts): the session must not suffer
        no.send(mp4(n['no'], '65.4.0.0/24', n['no']['addr']))
        s.announce(no, 'no', 'fd65:4::/64')
        v, t = wait_for(lambda: installed(s.d, 'fd65:4::/64'), 4)
        c.ok('N10', 'an IPv6 next hop for IPv4 from a neighbour with whom it was not agreed: the session stays, others of its routes are used', v and no.alive(0.3), no.notif())
        for cid, p, why in (('N11', no, 'not configured'), ('N12', lack, 'the peer has not the capability')):
            u = p.wait_rib('10.1.0.0/24', 3)
            c.ok(cid, 'IPv4 over an IPv6 session, %s: NEXT_HOP is our IPv4 address' % why, u and u['next_hop'] == DUT and not u['mp_reach'], u and (u['next_hop'], u['mp_reach']))


def sc_extnhecmp(c, kind):
    """several IPv6 next hops of an IPv4 route"""
    both = dict(v6=True, families=['ipv4', 'ipv6'], extendedNextHop=True)
    with Stand(kind, 'extnhecmp', {'x': both, 'y': both, 'e': {}}, ecmp=16) as s:
        n = s.nb
        x, y, e = s.up('x', [EXT4]), s.up('y', [EXT4]), s.up('e')
        if not c.ok('N40', 'sessions Established', x and y and e):
            return
        for k, p in (('x', x), ('y', y)):
            p.send(mp4(n[k], '65.9.0.0/24', n[k]['addr']))
        v, t = wait_for(lambda: installed(s.d, '65.9.0.0/24', [n['x']['addr'], n['y']['addr']]), 4)
        c.ok('N41', 'two: one route with both', v, sh('ip -n bgn1 route show 65.9.0.0/24'))
        s.announce(e, 'e', '65.9.0.0/24')
        v, t = wait_for(lambda: installed(s.d, '65.9.0.0/24', [n['x']['addr'], n['y']['addr'], n['e']['addr']]), 4)
        c.ok('N42', 'and an IPv4 one beside them', v, sh('ip -n bgn1 route show 65.9.0.0/24'))
        x.close()
        e.close()
        v, t = wait_for(lambda: installed(s.d, '65.9.0.0/24', n['y']['addr']), 4)
        c.ok('N43', 'two of the three gone: the last one', v, sh('ip -n bgn1 route show 65.9.0.0/24'))


def sc_nexthop(c, kind):
    """IPv6 on an IPv4 session; next hop self; odd IPv6 next hops"""
    nbs = {'dual': dict(families=['ipv4', 'ipv6']), 'i': dict(remoteAs=AS, families=['ipv4', 'ipv6']), 'self': dict(remoteAs=AS, nextHopSelf=True, families=['ipv4', 'ipv6']), 'six': dict(v6=True)}
    with Stand(kind, 'nexthop', nbs, networks=['10.1.0.0/24', 'fd01::/64'], addresses=['fd00:10::201/64', 'fe80::b:1/64']) as s:
        n = s.nb
        p = {k: s.up(k) for k in n}
        if not c.ok('N20', 'sessions Established', all(p.values())):
            return
        u = p['dual'].wait_rib('fd01::/64', 4)
        c.ok('N21', 'an own IPv6 network on an IPv4 session: next hop is the global address of the interface', u and u['mp_reach']['nexthops'][0] == DUT6, u and u['mp_reach'])
        s.announce(p['dual'], 'dual', 'fd66:1::/64', nh='fd00:10::201')
        s.announce(p['dual'], 'dual', '66.1.0.0/24')
        v, t = wait_for(lambda: all_installed(s.d, ('fd66:1::/64', 'fd00:10::201'), ('66.1.0.0/24', n['dual']['addr'])), 4)
        c.ok('N22', 'both families received on an IPv4 session', v)
        nh = lambda k, prefix: (lambda u: u and (u['mp_reach']['nexthops'][0] if u['mp_reach'] else u['next_hop']))(p[k].wait_rib(prefix, 4))
        got = [nh('i', '66.1.0.0/24'), nh('i', 'fd66:1::/64')]
        c.ok('N23', 'eBGP to iBGP: the next hop is kept', got == [n['dual']['addr'], 'fd00:10::201'], got)
        got = [nh('self', '66.1.0.0/24'), nh('self', 'fd66:1::/64')]
        c.ok('N24', 'nextHopSelf: our own address, in both families', got == [DUT, DUT6], got)
        s.announce(p['dual'], 'dual', 'fd66:2::/64', nh='::ffff:10.0.0.101')
        s.announce(p['dual'], 'dual', 'fd66:3::/64', nh='fd00:10::201')
        v, t = wait_for(lambda: installed(s.d, 'fd66:3::/64'), 4)
        r = fib('bgn1', 6).get('fd66:2::/64')
        c.ok('N25', 'a next hop ::ffff:10.0.0.101 (GoBGP): the session stays; never in the kernel as it is', v and p['dual'].alive(0.3) and not (r and '::ffff:10.0.0.101' in r['via']), r)
        p['six'].send(update([a_mp_reach(2, n['six']['addr'], ['fd66:4::/64'], ll=LL)] + path_attributes(n['six'], nh='')))
        v, t = wait_for(lambda: installed(s.d, 'fd66:4::/64', LL) or installed(s.d, 'fd66:4::/64', n['six']['addr']), 4)
        c.ok('N26', 'a global and a link-local next hop: by one of the two, with the interface', v and fib('bgn1', 6)['fd66:4::/64']['dev'] == 'bge0', fib('bgn1', 6).get('fd66:4::/64'))
        s.announce(p['dual'], 'dual', 'fd66:5::/64', nh=DUT6)
        s.announce(p['dual'], 'dual', 'fd66:6::/64', nh='ff02::1')
        s.announce(p['dual'], 'dual', 'fd66:7::/64', nh='::')
        time.sleep(0.8)
        c.ok('N27', 'IPv6 next hops that are our own address, multicast, unspecified: not used, the session stays', p['dual'].alive(0.2) and not any(x in fib('bgn1', 6) for x in ('fd66:5::/64', 'fd66:6::/64', 'fd66:7::/64')), [x for x in fib('bgn1', 6) if x.startswith('fd66')])


SCENARIOS = {'extnh': sc_extnh, 'extnhecmp': sc_extnhecmp, 'nexthop': sc_nexthop}
