"""ROUTE-REFRESH family by family (RFC 2918, 7313), and OPENs at the edge of what is right (RFC 4271 6.2, 5492, 6286, 6793)."""
from stand import *


def refreshes(p, since):
    """what came since: RRs<subtype>/<AFI>, and UPDATEs by family"""
    out = []
    for _, ty, b in p.log[since:]:
        if ty == ROUTE_REFRESH:
            out.append('RR%d/%d' % (b[2], struct.unpack('!H', b[:2])[0]))
        elif ty == UPDATE:
            u = parse_update(b)
            if u['is_eor']:
                continue
            out.append('UPD/%d' % (u['mp_reach']['afi'] if u['mp_reach'] else 1))
    return [x for i, x in enumerate(out) if i == 0 or out[i - 1] != x]


def sc_refresh(c, kind):
    """route refresh, family by family"""
    nbs = {'d': dict(families=['ipv4', 'ipv6']), 'p': {}, 'bad': {}, 'plain': {}, 'flood': {}}
    with Stand(kind, 'refresh', nbs, networks=['10.1.0.0/24', 'fd01::/64'], addresses=['fd00:10::201/64']) as s:
        n = s.nb
        d, p, bad, plain, flood = s.up('d', [CAP_ERR]), s.up('p', [CAP_ERR]), s.up('bad', [CAP_ERR]), s.up('plain'), s.up('flood', [CAP_ERR])
        if not c.ok('I30', 'sessions Established', d and p and bad and plain and flood):
            return
        d.wait_rib('fd01::/64', 5)
        time.sleep(0.8)
        since = len(d.log)
        d.send(route_refresh(2, 1))
        wait_for(lambda: 'RR2/2' in refreshes(d, since), 10)
        got = refreshes(d, since)
        c.ok('I31', 'asked for IPv6: BoRR, IPv6 routes, EoRR, and nothing of IPv4', got == ['RR1/2', 'UPD/2', 'RR2/2'], got)
        s.announce(d, 'd', ['80.0.0.0/24', '80.0.1.0/24'])
        s.announce(d, 'd', ['fd80::/64', 'fd80:1::/64'], nh='fd00:10::201')
        wait_for(lambda: all_installed(s.d, ('80.0.1.0/24', None), ('fd80:1::/64', None)), 5)
        d.send(route_refresh(2, 1, 1) + route(n['d'], 'fd80::/64', nh='fd00:10::201'))
        time.sleep(0.7)
        v = all_installed(s.d, ('fd80:1::/64', None))
        d.send(route_refresh(2, 1, 2))
        v2, t = wait_for(lambda: not installed(s.d, 'fd80:1::/64'), 4)
        c.ok('I32', 'BoRR and EoRR for IPv6: what was not repeated leaves at EoRR, not before; IPv4 stays', v and v2 and all_installed(s.d, ('fd80::/64', None), ('80.0.0.0/24', None), ('80.0.1.0/24', None)), (v, v2))
        d.send(route_refresh(1, 1, 2))
        time.sleep(0.7)
        c.ok('I33', 'EoRR without BoRR: nothing leaves', d.alive(0.1) and all_installed(s.d, ('80.0.0.0/24', None), ('80.0.1.0/24', None)))
        since = len(p.log)
        p.send(route_refresh(1, 1, 9))
        c.ok('I34', 'an unknown subtype is ignored (RFC 7313 5)', quiet(p, 1, since))
        bad.send(msg(ROUTE_REFRESH, b'\0\1\1\1\0'))
        x = bad.wait_notification(4)
        c.ok('I35', 'BoRR of 24 octets: NOTIFICATION 7/1 (RFC 7313 5)', x and x[:2] in ((7, 1), (1, 2)), x)
        since = len(plain.log)
        plain.send(route_refresh(1, 1))
        v, t = wait_for(lambda: 'UPD/1' in refreshes(plain, since), 5)
        time.sleep(0.5)
        c.ok('I36', 'a peer without the enhanced form: routes again, no markers', v and refreshes(plain, since) == ['UPD/1'], refreshes(plain, since))
        since = len(flood.log)
        flood.send(route_refresh(1, 1) * 200)
        time.sleep(2)
        seen = refreshes(flood, since)
        c.ok('I37', '200 requests at once: answered, the session stays, markers are in pairs', flood.alive(0.3) and seen and seen[0] == 'RR1/1' and seen[-1] == 'RR2/1' and '10.1.0.0/24' in flood.rib, len(flood.log) - since)
        # a route that changes while it is sent again
        s.announce(plain, 'plain', '80.2.0.0/24')
        p.wait_rib('80.2.0.0/24', 4)
        p.send(route_refresh(1, 1))
        plain.send(gone('80.2.0.0/24'))
        v = p.wait_rib('80.2.0.0/24', 5, False)
        time.sleep(0.5)
        c.ok('I38', 'a route that is withdrawn in the middle of a refresh is gone afterwards', v and '80.2.0.0/24' not in p.rib)


def sc_opening(c, kind):
    """OPENs at the edge"""
    names = ['same', 'twin1', 'twin2', 'short', 'past', 'cappast', 'as40', 'trans', 'mismatch', 'multi', 'nofam', 'note', 'again', 'mail', 'h65535']
    with Stand(kind, 'opening', {k: dict(remoteAs=4200000200) if k == 'trans' else {} for k in names} | {'o': {}}) as s:
        n = s.nb
        o = s.up('o')
        opening = lambda k, opts=None, **kw: open_msg(n[k]['asn'], kw.pop('hold', 90), kw.pop('rid', n[k]['rid']), opt_caps(cap_mp(1), cap_as4(n[k]['asn'])) if opts is None else opts, **kw)
        s.nb['same']['rid'] = DUT
        c.ok('I50', 'an external peer with our own identifier is right (RFC 6286)', s.up('same', timeout=6))
        for k in ('twin1', 'twin2'):
            s.nb[k]['rid'] = '7.7.7.7'
        a, b = s.up('twin1', timeout=6), s.up('twin2', timeout=6)
        c.ok('I51', 'two external peers with the same identifier: both Established', a and b and a.alive(0.5) and b.alive(0))
        r = s.bad('short', msg(OPEN, opening('short')[19:28]))
        c.ok('I52', 'OPEN of 28 octets: NOTIFICATION 1/2 with the length as data', r[:2] == (1, 2) and r[2] == b'\0\x1c', r)
        r = s.bad('past', opening('past', opts=b'')[:-1] + b'\x09\x02\x02\x01\x04')
        r2 = s.bad('cappast', opening('cappast', opts=bytes([2, 4, 65, 9, 0, 0])))
        c.ok('I53', 'optional parameters run past the message: NOTIFICATION 2/0 (1/2 is seen too)', r[:2] in ((2, 0), (1, 2), (2, 4)), r)
        c.ok('I54', 'a capability runs past its parameter: NOTIFICATION 2/0', r2[:2] in ((2, 0), (2, 4)), r2)
        r = s.bad('as40', open_msg(n['as40']['asn'], 90, n['as40']['rid'], opt_caps(cap_mp(1), cap_as4(0))))
        c.ok('I55', 'AS 0 in the 4-octet AS capability: NOTIFICATION 2/2', r[:2] == (2, 2), r)
        p = s.up('trans', timeout=6)
        c.ok('I56', 'AS_TRANS with the true AS in the capability: Established', p and p.remote_open)
        r = s.bad('mismatch', open_msg(n['mismatch']['asn'], 90, n['mismatch']['rid'], opt_caps(cap_mp(1), cap_as4(65999))))
        c.ok('I57', 'the AS in the capability is not the configured one: NOTIFICATION 2/2', r[:2] == (2, 2), r)
        p = s.up('multi', caps=[cap_mp(1), cap_mp(2), cap(1, struct.pack('!HBB', 25, 0, 70)), cap(1, struct.pack('!HBB', 1, 0, 128)), CAP_RR, cap_as4(n['multi']['asn']), cap(9, b'\4'), cap(73, b'\3abc\0'), cap(75, b'\4test'), cap(128), cap(131, b'\0')], timeout=6)
        u = p and p.wait_rib('10.1.0.0/24', 4)
        c.ok('I58', 'families and capabilities that we do not want beside those that we do: Established, IPv4 routes', u)
        r = s.bad('nofam', open_msg(n['nofam']['asn'], 90, n['nofam']['rid'], opt_caps(cap_mp(2), CAP_RR, cap_as4(n['nofam']['asn']))))
        c.ok('I59', 'no family in common: NOTIFICATION 2/7, or a session without routes', r[:2] == (2, 7) or 'accepted' in str(r), r)
        p = dial(PX, n['note']['addr'], DUT, timeout=5)
        p.expect(OPEN, 4)
        p.send(notification(6, 5))
        v = p.wait_closed(4)
        q = s.up('note', timeout=15)
        c.ok('I60', 'Cease/Connection Rejected in answer to our OPEN: closed without a word, and the next session comes about', v and not p.notif() and q)
        p = s.up('again', timeout=6)
        p and p.abort()
        q = s.up('again', timeout=15)
        c.ok('I61', 'reset, and dialled again at once: Established', q and '%.1f' % (q.established - p.established))
        p = s.up('h65535', hold=65535, timeout=6)
        c.ok('I62', 'hold time 65535: Established', p and p.alive(0.3))
        p = s.up('mail', caps=[cap_mp(1), CAP_RR, cap_as4(n['mail']['asn'])] + [cap(200 + i, b'z' * 10) for i in range(18)], timeout=6)
        c.ok('I63', 'optional parameters of 233 octets: Established', p)
        c.ok('I64', 'a bystander saw nothing of it', o and o.alive(0.2))


SCENARIOS = {'refresh': sc_refresh, 'opening': sc_opening}
