"""Options of neighbours and of the speaker, one by one, as README.md of ../bgp describes them."""
from stand import *

EXTENDED = attr(0xc0, 16, bytes.fromhex('0002fde900000001') + bytes.fromhex('4002fde900000002'))      # the second one is non-transitive


def sc_policy(c, kind):
    """exportAll, importAll, communities, local AS"""
    nbs = {'src': {}, 'exp': dict(exportAll=False), 'imp': dict(importAll=False), 'com': dict(communitiesOut=['65001:7', '65001:8']), 'o': {}, 'i': dict(remoteAs=AS), 'la': dict(localAs=65010),
           'lai': dict(localAs=65011, remoteAs=65011), 'labig': dict(localAs=4200000011), 'old': {}, 'comi': dict(remoteAs=AS, communitiesOut=['65001:9']), 'rr': dict(remoteAs=AS, rrClient=True)}
    with Stand(kind, 'policy', nbs, networks=['10.1.0.0/24']) as s:
        n = s.nb
        p = {k: s.up(k, **(dict(caps=[cap_mp(1), CAP_RR]) if k == 'old' else {})) for k in n}
        if not c.ok('O01', 'sessions Established', all(p.values()), [k for k, x in p.items() if not x]):
            return
        aggregator = attr(0xc0, 7, struct.pack('!I', 4200000077) + socket.inet_aton('9.9.9.9'))
        s.announce(p['src'], 'src', '67.0.0.0/24', communities=['65100:1', '65001:7'])
        s.announce(p['src'], 'src', '67.1.0.0/24', extra=[attr(0x40, 6, b''), aggregator, EXTENDED])
        s.announce(p['imp'], 'imp', '67.2.0.0/24')
        s.announce(p['src'], 'src', '67.3.0.0/24', communities=['65535:65283'])
        v = {k: x.wait_rib('67.1.0.0/24', 5) for k, x in p.items() if k not in ('src', 'exp')}
        time.sleep(0.5)
        c.ok('O02', 'exportAll false: the own networks and nothing learned', sorted(p['exp'].rib) == ['10.1.0.0/24'], sorted(p['exp'].rib))
        c.ok('O03', 'importAll false: nothing is taken, it is told what the others are', not installed(s.d, '67.2.0.0/24') and '67.2.0.0/24' not in p['o'].rib and '67.0.0.0/24' in p['imp'].rib)
        got = {k: sorted(p[k].rib[x]['communities']) for k, x in (('com', '10.1.0.0/24'),)}, sorted(p['com'].rib['67.0.0.0/24']['communities']), sorted(p['o'].rib['67.0.0.0/24']['communities'])
        c.ok('O04', 'communitiesOut: on own and on learned routes, each once, beside those that were there; not towards others',
             got == ({'com': ['65001:7', '65001:8']}, ['65001:7', '65001:8', '65100:1'], ['65001:7', '65100:1']) and p['o'].rib['10.1.0.0/24']['communities'] == [], got)
        c.ok('O05', 'communitiesOut towards iBGP', sorted(p['comi'].rib['67.0.0.0/24']['communities']) == ['65001:7', '65001:9', '65100:1'], p['comi'].rib['67.0.0.0/24']['communities'])
        o = p['la'].remote_open
        c.ok('O06', 'localAs: the AS of the OPEN, and the whole AS_PATH of own networks', o['asn'] == 65010 and flat_path(p['la'].rib['10.1.0.0/24'])[:1] == [65010] and AS not in flat_path(p['la'].rib['10.1.0.0/24'])[:1], (o['asn'], flat_path(p['la'].rib['10.1.0.0/24'])))
        c.ok('O07', 'localAs above 65535: AS_TRANS in the OPEN, itself in the capability and the AS_PATH', (p['labig'].remote_open['as16'], p['labig'].remote_open['asn']) == (23456, 4200000011) and flat_path(p['labig'].rib['10.1.0.0/24'])[:1] == [4200000011], flat_path(p['labig'].rib['10.1.0.0/24']))
        u = p['lai'].rib['10.1.0.0/24']
        c.ok('O08', 'localAs that is the AS of the peer: an internal one, LOCAL_PREF and empty AS_PATH', u['local_pref'] == 100 and flat_path(u) == [], (u['local_pref'], flat_path(u)))
        u = p['o'].rib.get('67.1.0.0/24')
        c.ok('O09', 'ATOMIC_AGGREGATE and AGGREGATOR are passed on', u and u['attrs'].get(6) == b'' and u['attrs'].get(7) == aggregator[3:], u and u['order'])
        u = p['old'].rib.get('67.1.0.0/24')
        c.ok('O10', 'to a 2-octet speaker: AGGREGATOR with AS_TRANS, and AS4_AGGREGATOR', u and u['attrs'].get(7, b'')[:2] == struct.pack('!H', 23456) and u['attrs'].get(18) == aggregator[3:], u and {t: a.hex() for t, a in u['attrs'].items()})
        ext = lambda k: p[k].rib['67.1.0.0/24']['attrs'].get(16, b'').hex()
        c.ok('O11', 'extended communities: the transitive one to eBGP, both to iBGP', ext('o') == '0002fde900000001' and ext('i') == '0002fde9000000014002fde900000002', (ext('o'), ext('i')))
        c.ok('O12', 'NO_EXPORT_SUBCONFED: to iBGP, not to eBGP', '67.3.0.0/24' in p['i'].rib and '67.3.0.0/24' not in p['o'].rib)
        s.announce(p['rr'], 'rr', '67.4.0.0/24')
        u = p['i'].wait_rib('67.4.0.0/24', 4)
        c.ok('O13', 'a client without clusterId: CLUSTER_LIST is the router id', u and u['cluster_list'] == [DUT] and u['originator'] == n['rr']['rid'], u and (u['cluster_list'], u['originator']))
        u = p['o'].wait_rib('67.4.0.0/24', 4)
        c.ok('O14', 'towards eBGP: no LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST', u and not {5, 9, 10} & set(u['attrs']), u and u['order'])
        p['src'].send(route(n['src'], '67.5.0.0/24', communities=['65001:%d' % i for i in range(900)]))
        u = p['o'].wait_rib('67.5.0.0/24', 4)
        c.ok('O15', 'an attribute of 3600 octets is passed on', u and len(u['communities']) == 900 and p['o'].alive(0.2))
        big = list(range(1, 600))
        p['src'].send(update(path_attributes(n['src'], path=[n['src']['asn']] + big), ['67.6.0.0/24']))
        u = p['o'].wait_rib('67.6.0.0/24', 4)
        c.ok('O16', 'an AS_PATH of 600 numbers in three segments is passed on with ours in front', u and flat_path(u) == [AS, n['src']['asn']] + big, u and len(flat_path(u)))


def sc_timers(c, kind):
    """hold time 0 and 3, keepalive"""
    nbs = {'h0': dict(holdTime=0), 'h3': dict(holdTime=3), 'k1': dict(holdTime=9, keepalive=1), 'k60': dict(holdTime=90, keepalive=60), 'p6': dict(holdTime=90), 'z': dict(holdTime=90), 'sil': dict(holdTime=3)}
    with Stand(kind, 'timers', nbs) as s:
        h = dict(h0=90, h3=90, k1=90, k60=6, p6=6, z=0)
        p = {k: s.up(k, hold=t, ka=k != 'h0') for k, t in h.items()}
        sil = s.up('sil', hold=90, ka=False)
        c.ok('O20', 'OPEN: hold time 0 and 3 as configured', p['h0'] and p['h3'] and (p['h0'].remote_open['hold'], p['h3'].remote_open['hold']) == (0, 3))
        x = sil and sil.wait_notification(6)
        c.ok('O21', 'our hold time 3 counts though the peer says 90: silent, 4/0 after 3 s', x and x[:2] == (4, 0) and 2.3 <= x[3] - sil.established <= 4.7, x and '%.1f' % (x[3] - sil.established))
        time.sleep(4)
        times = {k: [t for t, ty, _ in x.log if ty == KEEPALIVE] for k, x in p.items() if x}
        gap = {k: round(max([b - a for a, b in zip(t, t[1:])] or [99]), 2) for k, t in times.items()}
        c.ok('O22', 'our hold time 0: no KEEPALIVE after the first, and no end of the session though the peer is silent', p['h0'] and len(times['h0']) == 1 and p['h0'].alive(0), times.get('h0'))
        c.ok('O23', "the peer's hold time 0: the same", p['z'] and len(times['z']) == 1 and p['z'].alive(0))
        c.ok('O24', 'hold time 3: a KEEPALIVE every second', p['h3'] and gap['h3'] <= 1.3, gap)
        c.ok('O25', 'keepalive 1: a KEEPALIVE every second with hold time 9', p['k1'] and gap['k1'] <= 1.3, gap)
        c.ok('O26', "the peer's hold time 6: a KEEPALIVE every 2 s", p['p6'] and gap['p6'] <= 2.3, gap)
        c.ok('O27', 'keepalive 60 with a negotiated hold time of 6: still often enough', p['k60'] and gap['k60'] <= 4.3, gap)


def sc_capabilities(c, kind):
    """required capabilities, families, extended messages, refresh"""
    want = ['as4', 'route-refresh', 'graceful-restart', 'enhanced-route-refresh']
    code = {'as4': 65, 'route-refresh': 2, 'graceful-restart': 64, 'enhanced-route-refresh': 70}
    nbs = {w: dict(requireCapabilities=[w], gracefulRestart=dict(time=30, restarting=False)) for w in want}
    nbs |= {'all': dict(requireCapabilities=want, gracefulRestart=dict(time=30, restarting=False)), 'noerr': dict(enhancedRouteRefresh=False), 'v6only': dict(families=['ipv6']), 'x': dict(extendedMessages=True),
            'x2': dict(extendedMessages=True), 'small': {}, 'gr': dict(gracefulRestart=dict(time=77, restarting=True), families=['ipv4', 'ipv6']), 'mpno': dict(families=['ipv4', 'ipv6'])}
    with Stand(kind, 'capabilities', nbs, networks=['10.1.0.0/24', 'fd01::/64']) as s:
        n = s.nb
        have = lambda k: {65: cap_as4(n[k]['asn']), 2: CAP_RR, 64: cap_gr(time_s=30), 70: CAP_ERR}
        for i, w in enumerate(want):
            caps = [cap_mp(1)] + [x for number, x in have(w).items() if number != code[w]]
            r = bad_open(PX, n[w]['addr'], open_msg(n[w]['asn'], 90, n[w]['rid'], opt_caps(*caps)), timeout=6)
            c.ok('O3%d' % i, 'requireCapabilities %s, the peer lacks it: NOTIFICATION 2/7 with the capability as data' % w, r[:2] == (2, 7) and r[2][:1] == bytes([code[w]]), r)
        p = s.up('all', caps=[cap_mp(1)] + list(have('all').values()))
        c.ok('O34', 'requireCapabilities, the peer has them: Established', p)
        p = s.up('noerr', [CAP_ERR])
        c.ok('O35', 'enhancedRouteRefresh false: capability 70 is not offered, a refresh is answered without markers', p and 70 not in capset(p.remote_open))
        if p:
            p.wait_rib('10.1.0.0/24', 4)
            time.sleep(0.5)
            since = len(p.log)
            p.send(route_refresh(1, 1))
            v, t = wait_for(lambda: [1 for _, ty, b in p.log[since:] if ty == UPDATE], 4)
            c.ok('O36', 'and it is answered', v and not any(ty == ROUTE_REFRESH for _, ty, _ in p.log[since:]))
        p = s.up('v6only')
        u = p and p.wait_rib('fd01::/64', 4)
        c.ok('O37', 'families ["ipv6"]: that capability alone, no IPv4 routes', u and mp_families(p.remote_open) == {(2, 1)} and '10.1.0.0/24' not in p.rib, p and (mp_families(p.remote_open), sorted(p.rib)))
        p = s.up('mpno', caps=[cap_mp(2), CAP_RR, cap_as4(n['mpno']['asn'])])
        u = p and p.wait_rib('fd01::/64', 4)
        c.ok('O38', 'we have both families, the peer IPv6 alone: no IPv4 routes', u and '10.1.0.0/24' not in p.rib, p and sorted(p.rib))
        p = s.up('gr', [cap_gr(time_s=77, fams=((1, 1, True), (2, 1, True)))])
        g = p and capset(p.remote_open).get(64, b'')
        c.ok('O39', 'graceful restart: time 77, no Restart flag at a first start, both families', g and struct.unpack('!H', g[:2])[0] & 0x8fff == 77 and {g[i:i + 3] for i in range(2, len(g), 4)} == {b'\0\1\1', b'\0\2\1'}, g and g.hex())
        x, x2, small = s.up('x', [CAP_EXTMSG]), s.up('x2', [CAP_EXTMSG]), s.up('small')
        if x and x2 and small:
            s.announce(x, 'x', '68.0.0.0/24', communities=['65001:%d' % i for i in range(1500)])
            s.announce(x, 'x', '68.1.0.0/24')
            u = x2.wait_rib('68.0.0.0/24', 5)
            v = small.wait_rib('68.1.0.0/24', 5)
            c.ok('O40', 'a route of 6 kB of attributes: passed on to who takes extended messages', u and len(u['communities']) == 1500)
            c.ok('O41', 'and not to who does not, whose session stays and has the others', v and '68.0.0.0/24' not in small.rib and small.alive(0.3) and not small.notif(), small.notif())
            s.announce(x, 'x', '68.0.0.0/24')
            v = small.wait_rib('68.0.0.0/24', 5)
            s.announce(x, 'x', '68.0.0.0/24', communities=['65001:%d' % i for i in range(1500)])
            w = small.wait_rib('68.0.0.0/24', 5, False)
            c.ok('O42', 'when a route that it has becomes too big, it is withdrawn there', v and w and small.alive(0.2))
        else:
            c.ok('O40', 'extended messages: sessions Established', False)


def sc_operation(c, kind):
    """disable, enable, refresh; no kernel"""
    with Stand(kind, 'operation', {'a': {}, 'b': {}}) as s:
        n = s.nb
        a, b = s.up('a'), s.up('b')
        if not c.ok('O50', 'sessions Established', a and b):
            return
        s.announce(a, 'a', '69.0.0.0/24')
        b.wait_rib('69.0.0.0/24', 4)
        time.sleep(0.3)
        since = len(a.log)
        s.d.refresh(n['a']['addr'])
        v, t = wait_for(lambda: [bd for _, ty, bd in a.log[since:] if ty == ROUTE_REFRESH], 4)
        c.ok('O51', 'refresh: the peer is asked by ROUTE-REFRESH', v and v[0] == b'\0\1\0\1', v)
        since = len(b.log)
        s.d.disable(n['a']['addr'])
        x = a.wait_notification(4)
        v = b.wait_rib('69.0.0.0/24', 3, False)
        c.ok('O52', 'disable: Cease 6/2, its routes leave', x and x[:2] == (6, 2) and a.wait_closed(3) and v and not installed(s.d, '69.0.0.0/24'), x)
        q = session(PX, n['a']['addr'], n['a']['asn'], n['a']['rid'], timeout=3)
        c.ok('O53', 'and it is kept down', not q)
        s.d.enable(n['a']['addr'])
        a = s.up('a', timeout=10)
        c.ok('O54', 'enable: it comes up again', a and a.wait_rib('10.1.0.0/24', 4))
        c.ok('O55', 'the other session is unharmed', b.alive(0.2))
    with Stand(kind, 'nokernel', {'a': {}, 'b': {}, 'i': dict(remoteAs=AS)}, start=False) as s:
        s.d.spec['kernel']['install'] = False
        s.d.start()
        a, b = s.up('a'), s.up('b')
        s.announce(a, 'a', '69.1.0.0/24')
        s.announce(a, 'a', '69.2.0.0/24', nh='192.0.2.77')
        v = b.wait_rib('69.1.0.0/24', 4)
        time.sleep(0.5)
        left = [k for k, x in fib('bgn1').items() if x['proto'] != 'kernel']
        c.ok('O56', 'kernel.install false: routes are passed on, own ones announced, nothing is in the kernel', v and '10.1.0.0/24' in b.rib and not left, left)


SCENARIOS = {'policy': sc_policy, 'timers': sc_timers, 'capabilities': sc_capabilities, 'operation': sc_operation}
