"""Row 27: TCP MD5 (RFC 2385), GTSM (RFC 5082), TTL and DSCP of the packets."""
from stand import *

KEY, OTHER = 'first secret', 'another one'
TTL_DIRECT, DSCP_CS6 = 1, 0xc0
IPV6_MINHOPCOUNT = 73


def no_session(ns, src, asn, rid, **kw):
    """true when no session comes about within some seconds; not even an OPEN of the DUT"""
    end = time.time() + 3
    while time.time() < end:
        p = dial(ns, src, kw.get('dst', DUT), 179, 1.5, kw.get('md5'), kw.get('ttl'))
        if not p:
            continue
        try:
            if p.handshake(asn, rid, timeout=1):
                return False
            if any(ty == OPEN for _, ty, _ in p.log):
                return False
        except OSError:
            pass
        finally:
            p.close()
    return True


def sc_md5(c, kind):
    """TCP MD5"""
    nbs = {'m': dict(password=KEY), 'w': dict(password=KEY), 'n': dict(password=KEY), 'plain': {}, 'six': dict(v6=True, password=KEY),
           'dial': dict(password=KEY, connectRetry=1), 'dialx': dict(password=KEY, connectRetry=1), 'chg': dict(password=KEY), 'chp': {}}
    with Stand(kind, 'md5', nbs) as s:
        n = s.nb
        p = s.up('m', md5=KEY)
        ok = p and p.wait_rib('10.1.0.0/24', 5)
        s.announce(p, 'm', '57.0.0.0/24') if p else None
        v, t = wait_for(lambda: installed(s.d, '57.0.0.0/24', n['m']['addr']), 4)
        c.ok('S01', 'the right key: Established, routes both ways', ok and v)
        c.ok('S02', 'a wrong key: no session', no_session(PX, n['w']['addr'], n['w']['asn'], n['w']['rid'], md5=OTHER))
        c.ok('S03', 'no key: no session', no_session(PX, n['n']['addr'], n['n']['asn'], n['n']['rid']))
        q = s.up('plain')
        c.ok('S04', 'a neighbour without a key beside them: Established', q)
        c.ok('S05', 'a neighbour without a key that signs: no session', no_session(PX, n['chp']['addr'], n['chp']['asn'], n['chp']['rid'], md5=KEY))
        x = s.up('six', md5=KEY)
        c.ok('S06', 'over IPv6: Established', x and x.wait_rib('10.1.0.0/24', 0.1) is None)
        # the DUT dials
        l = Listener(PX, n['dial']['addr'], md5={DUT: KEY})
        y = l.accept(12)
        o = y and y.handshake(n['dial']['asn'], n['dial']['rid'])
        l.close()
        c.ok('S07', 'the DUT dials with its key: Established', o)
        l = Listener(PX, n['dialx']['addr'])
        y = l.accept(4)
        l.close()
        c.ok('S08', 'the DUT dials somebody who has no key: no connection', not y)
        # changed while running
        z = s.up('chg', md5=KEY)
        before = [len(k.log) for k in (p, q)]
        s.reload('chg', password=OTHER)
        time.sleep(1)
        z and z.close()
        z = s.up('chg', md5=OTHER, timeout=20)
        c.ok('S09', 'the key is changed and the file read again: a session with the new key', z)
        z and z.close()
        c.ok('S10', 'and none with the old one', no_session(PX, n['chg']['addr'], n['chg']['asn'], n['chg']['rid'], md5=KEY))
        s.reload('chp', password=KEY)
        z = s.up('chp', md5=KEY, timeout=20)
        c.ok('S11', 'a key is set where there was none: a session with it', z)
        s.reload('chg', password=None)
        z = s.up('chg', timeout=20)
        c.ok('S12', 'a key is taken away: a session without', z)
        c.ok('S13', 'the other sessions are untouched by all that', all(k and k.alive(0.2) and all(ty == KEEPALIVE for _, ty, _ in k.log[b:]) for k, b in zip((p, q), before)))
    with Stand(kind, 'md5dyn', {'range': dict(address='10.0.0.0/24', dynamicRange='10.0.0.0/24', remoteAs=65150, password=KEY)}, addresses=['10.0.0.51/24', '10.0.0.52/24']) as s:
        p = session(PX, '10.0.0.51', 65150, '10.0.0.51', md5=KEY)
        c.ok('S14', 'a neighbour of a range with the right key: Established', p)
        c.ok('S15', 'a neighbour of a range without a key: no session', no_session(PX, '10.0.0.52', 65150, '10.0.0.52'))


def sc_ttl(c, kind):
    """GTSM, TTL, DSCP"""
    nbs = {'gtsm': dict(ttlSecurity=1), 'gtsm3': dict(ttlSecurity=3), 'low': dict(ttlSecurity=1), 'dial': dict(ttlSecurity=1, connectRetry=1), 'e': {}, 'i': dict(remoteAs=AS),
           'multi': dict(multihop=7), 'ig': dict(ttlSecurity=1, remoteAs=AS)}
    with Stand(kind, 'ttl', nbs) as s:
        n = s.nb
        sniff = Sniffer(PX)
        p = {k: s.up(k, ttl=t) for k, t in (('gtsm', 255), ('gtsm3', 253), ('e', None), ('i', None), ('multi', None), ('ig', 255))}
        c.ok('S20', 'ttlSecurity 1, the peer sends TTL 255: Established', p['gtsm'] and p['gtsm'].wait_rib('10.1.0.0/24', 5))
        c.ok('S21', 'ttlSecurity 3, the peer sends TTL 253: Established', p['gtsm3'] and p['gtsm3'].wait_rib('10.1.0.0/24', 5))
        c.ok('S22', 'ttlSecurity 1, the peer sends TTL 64: no session, no OPEN', no_session(PX, n['low']['addr'], n['low']['asn'], n['low']['rid'], ttl=64))
        c.ok('S23', 'ttlSecurity 1, the peer sends TTL 254: no session, no OPEN', no_session(PX, n['low']['addr'], n['low']['asn'], n['low']['rid'], ttl=254))
        c.ok('S24', 'an iBGP neighbour with ttlSecurity: Established', p['ig'])
        l = Listener(PX, n['dial']['addr'], ttl=255)
        y = l.accept(12)
        l.close()
        o = y and y.handshake(n['dial']['asn'], n['dial']['rid'])
        c.ok('S25', 'the DUT dials a neighbour with ttlSecurity: Established', o)
        if p['gtsm']:
            p['gtsm'].s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
            s.announce(p['gtsm'], 'gtsm', '58.0.0.0/24')
            time.sleep(1.2)
        c.ok('S26', 'packets of a lower TTL in the middle of a session are not taken', not installed(s.d, '58.0.0.0/24'))
        ttls = {k: sorted({x['ttl'] for x in sniff.bgp(n[k]['addr'])}) for k in nbs}
        c.ok('S27', 'with ttlSecurity the DUT sends TTL 255', ttls['gtsm'] == ttls['gtsm3'] == ttls['dial'] == ttls['ig'] == [255], ttls)
        c.ok('S28', 'eBGP: TTL 1', ttls['e'] == [TTL_DIRECT], ttls)
        c.ok('S29', 'multihop 7: TTL 7', ttls['multi'] == [7], ttls)
        c.ok('S30', 'iBGP: not limited', ttls['i'] and ttls['i'][0] >= 64, ttls)
        tos = sorted({x['tos'] & 0xfc for k in nbs for x in sniff.bgp(n[k]['addr'])})
        c.ok('S31', 'DSCP CS6 in every packet with BGP', tos == [DSCP_CS6], [hex(x) for x in tos])
        sniff.close()


def dial6(src, hops, least=None):
    """an IPv6 connection of that hop limit, which takes nothing below `least`"""
    with in_ns(PX):
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    if least:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, least)
    s.bind((src, 0))
    s.settimeout(2)
    try:
        s.connect((DUT6, 179))
    except OSError:
        s.close()
        return None
    s.settimeout(None)
    return Peer(s)


def sc_hops(c, kind):
    """GTSM over IPv6"""
    with Stand(kind, 'hops', {'g': dict(v6=True, ttlSecurity=1), 'low': dict(v6=True, ttlSecurity=1), 'e': dict(v6=True)}, networks=['fd01::/64']) as s:
        n = s.nb
        time.sleep(0.5)
        shake = lambda k, p: p and p.handshake(n[k]['asn'], n[k]['rid'], caps=s.caps(k), timeout=4)
        p = dial6(n['g']['addr'], 255, 255)
        ok = shake('g', p)
        c.ok('S32', 'ttlSecurity 1 over IPv6, both send hop limit 255: Established', ok and p.wait_rib('fd01::/64', 5))
        q = dial6(n['low']['addr'], 64)
        heard = q and q.expect(OPEN, 2)
        c.ok('S33', 'the peer sends hop limit 64: no session, no OPEN', not heard)
        e = dial6(n['e']['addr'], 1)
        c.ok('S34', 'eBGP without it, the peer sends hop limit 1: Established', shake('e', e))


def sc_multihop(c, kind):
    """eBGP over a router"""
    nbs = {'far': dict(address='10.9.0.2', multihop=3, connectRetry=1), 'short': dict(address='10.9.0.3')}
    with Stand(kind, 'multihop', nbs, start=False) as s:
        s.L.node('bgr', ['10.0.0.254/24'])
        s.L.node('bgr', ['10.9.0.1/24'], br='bgbr1')
        s.L.node('bgy', ['10.9.0.2/24', '10.9.0.3/24'], br='bgbr1')
        ip('route add 10.0.0.0/24 via 10.9.0.1', 'bgy')
        ip('route add 10.9.0.0/24 via 10.0.0.254 proto static', 'bgn1')
        s.d.start()
        n = s.nb
        p = session('bgy', '10.9.0.2', n['far']['asn'], '10.9.0.2')
        c.ok('S40', 'multihop 3: a session over one router, routes come', p and p.wait_rib('10.1.0.0/24', 5))
        if p:
            p.send(route(n['far'], '59.0.0.0/24'))
        v, t = wait_for(lambda: has_route('bgn1', '59.0.0.0/24', '10.0.0.254'), 5)
        c.ok('S41', "its next hop is reached by the kernel's route: in the kernel via the router", v, sh('ip -n bgn1 route show 59.0.0.0/24'))
        q = session('bgy', '10.9.0.3', n['short']['asn'], '10.9.0.3', timeout=4)
        c.ok('S42', 'an eBGP neighbour without multihop, over a router: no session', not q)


SCENARIOS = {'md5': sc_md5, 'ttl': sc_ttl, 'hops': sc_hops, 'multihop': sc_multihop}
