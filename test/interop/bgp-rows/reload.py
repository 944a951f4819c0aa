"""The configuration is read again (SIGHUP): differences alone are applied, and each touches only the session that it concerns."""
from stand import *


def effect_open(key, wanted):
    """the OPEN of the next session says so"""
    def check(s, k, p):
        p = s.up(k, more=[cap_addpath(), CAP_EXTMSG, cap_gr()], timeout=20)
        return p, p and key(p.remote_open) == wanted
    return check


def has_cap(code):
    return lambda o: code in capset(o)


def same(s, k, p):
    """Established, whether the old session went on or a new one had to begin"""
    time.sleep(0.5)
    if p.closed:
        p = s.up(k, timeout=20)
    return p


def takes(prefix, wanted, **given):
    """a route of the neighbour is taken, or is not"""
    def check(s, k, p):
        p = same(s, k, p)
        if not p:
            return p, False
        s.announce(p, k, [prefix], **{x: (y(s.nb[k]) if callable(y) else y) for x, y in given.items()})
        if wanted:
            return p, wait_for(lambda: installed(s.d, prefix), 4)[0]
        return p, holds(lambda: not installed(s.d, prefix), 1)
    return check


def told(condition, prefix='70.0.0.0/24'):
    """the neighbour is told a route, and how"""
    def check(s, k, p):
        p = same(s, k, p)
        return p, p and wait_for(lambda: condition(p.rib.get(prefix)), 6)[0]
    return check


def secured(s, k, p):
    """by TTL 255, and by no other"""
    p = s.up(k, ttl=255, timeout=20)
    if not p:
        return p, False
    p.send(notification(6, 2))
    p.wait_closed(2)
    return None, not s.up(k, ttl=64, timeout=2)


def limited(s, k, p):
    p = same(s, k, p)
    if p:
        s.announce(p, k, ['70.25.0.0/24', '70.25.1.0/24'])
    return p, p and p.wait_notification(4)


# id, member, value, neighbour before, what must be seen then
CHANGES = [
    ('Q10', 'holdTime', 33, {}, effect_open(lambda o: o['hold'], 33)),
    ('Q11', 'families', ['ipv4', 'ipv6'], {}, effect_open(mp_families, {(1, 1), (2, 1)})),
    ('Q12', 'addPath', 'both', {}, effect_open(lambda o: capset(o).get(69, b'').hex(), '00010103')),
    ('Q13', 'gracefulRestart', dict(time=44, restarting=True), {}, effect_open(lambda o: struct.unpack('!H', capset(o).get(64, b'\0\0')[:2])[0] & 0xfff, 44)),
    ('Q14', 'extendedMessages', True, {}, effect_open(has_cap(6), True)),
    ('Q15', 'enhancedRouteRefresh', False, {}, effect_open(has_cap(70), False)),
    ('Q16', 'localAs', 65020, {}, effect_open(lambda o: o['asn'], 65020)),
    ('Q17', 'importAll', False, {}, takes('70.17.0.0/24', False)),
    ('Q18', 'importAll', True, dict(importAll=False), takes('70.18.0.0/24', True)),
    ('Q19', 'exportAll', False, {}, told(lambda u: u is None)),
    ('Q20', 'exportAll', True, dict(exportAll=False), told(lambda u: u)),
    ('Q21', 'communitiesOut', ['65001:21'], {}, told(lambda u: u and '65001:21' in u['communities'])),
    ('Q22', 'communitiesOut', [], dict(communitiesOut=['65001:22']), told(lambda u: u and '65001:22' not in u['communities'])),
    ('Q23', 'nextHopSelf', True, dict(remoteAs=AS), told(lambda u: u and u['next_hop'] == DUT)),
    ('Q24', 'allowAsIn', 1, {}, takes('70.24.0.0/24', True, path=lambda n: [n['asn'], AS])),
    ('Q25', 'maxPrefixes', 1, {}, limited),
    ('Q26', 'rrClient', True, dict(remoteAs=AS), told(lambda u: u, '70.1.0.0/24')),
    ('Q27', 'ttlSecurity', 1, {}, secured),
    ('Q28', 'name', 'another name', {}, lambda s, k, p: (p, quiet(p, 1))),
    ('Q29', 'connectRetry', 7, {}, lambda s, k, p: (p, quiet(p, 1))),
    ('Q30', 'password', 'secret', {}, lambda s, k, p: (s.up(k, md5='secret', timeout=20),) * 2),
    ('Q31', 'passive', True, {}, lambda s, k, p: (same(s, k, p),) * 2),
]


def sc_reload(c, kind):
    """each option changed: its effect, and no other session sees anything"""
    nbs = {'o': {}, 'ii': dict(remoteAs=AS)} | {cid: dict(before) for cid, _, _, before, _ in CHANGES}
    with Stand(kind, 'reload', nbs) as s:
        o, ii = s.up('o'), s.up('ii')
        p = {cid: s.up(cid) for cid, *_ in CHANGES}
        if not c.ok('Q01', 'sessions Established', o and ii and all(p.values()), [k for k, x in p.items() if not x]):
            return
        s.announce(o, 'o', '70.0.0.0/24')
        s.announce(ii, 'ii', '70.1.0.0/24')
        wait_for(lambda: all('70.0.0.0/24' in x.rib for k, x in p.items() if k != 'Q20'), 5)
        time.sleep(0.5)
        everybody = [o, ii] + list(p.values())
        since = [len(x.log) for x in everybody]
        s.d.reconfigure()
        time.sleep(1)
        c.ok('Q02', 'nothing changed: no session sees anything but KEEPALIVEs', all(not x.closed and all(ty == KEEPALIVE for _, ty, _ in x.log[n:]) for x, n in zip(everybody, since)))
        for cid, member, value, before, effect in CHANGES:
            bystanders = {'o': o, 'ii': ii} | {k: x for k, x in p.items() if k != cid and x and not x.closed}
            marks = {k: len(x.log) for k, x in bystanders.items()}
            s.reload(cid, **{member: value})
            time.sleep(0.4)
            # What the neighbour says afterwards may go to others: so they are looked at before the effect is.
            touched = [k for k, x in bystanders.items() if x.closed or any(ty != KEEPALIVE for _, ty, _ in x.log[marks[k]:])]
            q, seen = effect(s, cid, p[cid])
            touched += [k for k, x in bystanders.items() if x.closed]
            p[cid] = q
            if q and not q.closed:
                q.wait_rib('10.1.0.0/24', 3)
                time.sleep(0.3)
            c.ok(cid, '%s becomes %s: it counts, and no other session is touched' % (member, json.dumps(value)), seen and not touched, 'effect: %s, touched: %s' % (bool(seen), touched))


def sc_reload2(c, kind):
    """neighbours come and go; what cannot be read"""
    with Stand(kind, 'reload2', {'o': {}, 'e': {}, 'as': {}, 'new': {}, 'dyn': dict(address='10.0.0.48/28', dynamicRange='10.0.0.48/28', remoteAs=65150)}, addresses=['10.0.0.50/24'], start=False, ecmp=1) as s:
        d, n = s.d, s.nb
        new = next(x for x in d.spec['neighbors'] if x['address'] == n['new']['addr'])
        d.spec['neighbors'].remove(new)
        d.start()
        o, e, a = s.up('o'), s.up('e'), s.up('as')
        dyn = session(PX, '10.0.0.50', 65150, '10.0.0.50')
        if not c.ok('Q40', 'sessions Established', o and e and a and dyn):
            return
        s.announce(e, 'e', '71.0.0.0/24')
        o.wait_rib('71.0.0.0/24', 4)
        time.sleep(0.4)
        marks = lambda: [(x, len(x.log)) for x in (o, e, dyn)]
        untouched = lambda m: all(not x.closed and all(ty == KEEPALIVE for _, ty, _ in x.log[k:]) for x, k in m)
        m = marks()
        q = dial(PX, n['new']['addr'], DUT, timeout=1.5)
        before = q and q.expect(OPEN, 1.5)
        d.spec['neighbors'].append(new)
        d.reconfigure()
        p = s.up('new', timeout=12)
        c.ok('Q41', 'a neighbour is added: Established, it was not before', p and not before and p.wait_rib('71.0.0.0/24', 4))
        c.ok('Q42', 'the others are untouched', untouched(m))
        s.announce(p, 'new', '71.1.0.0/24')
        o.wait_rib('71.1.0.0/24', 4)
        time.sleep(0.4)
        d.spec['neighbors'].remove(new)
        m = marks()
        d.reconfigure()
        x = p.wait_notification(4)
        v, t = wait_for(lambda: not installed(d, '71.1.0.0/24'), 4)
        c.ok('Q43', 'and taken away: Cease 6/3 (or 6/2), its routes leave, no further connection', x and x[0] == 6 and x[1] in (2, 3) and v and not session(PX, n['new']['addr'], n['new']['asn'], n['new']['rid'], timeout=2), x)
        c.ok('Q44', 'the others keep their sessions, and are told of its routes alone', all(not y.closed and not y.notif() for y in (o, e, dyn)) and o.wait_rib('71.1.0.0/24', 3, False) and '71.0.0.0/24' in o.rib)
        time.sleep(0.3)
        m = marks()
        s.spec('as')['remoteAs'] = 65177
        d.reconfigure()
        v = a.wait_closed(4)
        q = session(PX, n['as']['addr'], 65177, n['as']['rid'], timeout=12)
        c.ok('Q45', 'remoteAs is another: the session ends, one with the new AS begins, the others are untouched', v and q and untouched(m))
        m = marks()
        d.spec['kernel']['ecmp'] = 16
        d.reconfigure()
        s.announce(q, 'as', '71.2.0.0/24', path=[65177])
        s.announce(e, 'e', '71.2.0.0/24')
        v, t = wait_for(lambda: installed(d, '71.2.0.0/24', [n['as']['addr'], n['e']['addr']]), 5)
        c.ok('Q46', 'kernel.ecmp becomes 16: two next hops, no session touched', v and not any(x.closed for x in (o, e, dyn)), has_route('bgn1', '71.2.0.0/24'))
        time.sleep(0.4)
        m = marks()
        d.announce(['71.9.0.0/24', 'fd71:9::/64'])
        v = o.wait_rib('71.9.0.0/24', 5)
        b = fib('bgn1').get('71.9.0.0/24', {}).get('type'), fib('bgn1', 6).get('fd71:9::/64', {}).get('type')
        c.ok('Q47', 'networks of both families are added: announced, and blackholes in the kernel', v and b == ('blackhole', 'blackhole'), b)
        d.withdraw(['71.9.0.0/24', 'fd71:9::/64'])
        v = o.wait_rib('71.9.0.0/24', 5, False)
        c.ok('Q48', 'and taken away again', v and '71.9.0.0/24' not in fib('bgn1') and 'fd71:9::/64' not in fib('bgn1', 6) and o.alive(0) and e.alive(0))
        if kind == 'cmd':
            time.sleep(0.4)
            m = marks()
            good = open(d.path('speaker.json')).read()
            for text in ('{ "name": ', json.dumps(dict(json.loads(good), neighbors=[dict(address='10.0.0.101', remoteAs='many')]))):
                d.write('speaker.json.new', text)
                os.rename(d.path('speaker.json.new'), d.path('speaker.json'))
                os.kill(d.proc.pid, signal.SIGHUP)
                time.sleep(1)
            c.ok('Q49', 'files that cannot be read, or mean nothing: the speaker goes on as it was, no session touched', d.proc.alive() and untouched(m))
            d.reconfigure()
            d.announce(['71.8.0.0/24'])
            c.ok('Q50', 'and the next good one counts', o.wait_rib('71.8.0.0/24', 5))
        else:
            c.skip('Q49', 'files that cannot be read', 'the contract of cmd')
            c.skip('Q50', 'and the next good one counts', 'the contract of cmd')


SCENARIOS = {'reload': sc_reload, 'reload2': sc_reload2}
