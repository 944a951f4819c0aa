"""Row 23, the rest of it: the damages of RFC 7606 that ../bgp/interop.py leaves out, and odd UPDATEs that are right.

Each row has a neighbour of its own.  It announces two prefixes, then the first one again in the message of the row.  WITHDRAW: that
prefix leaves, session and other prefix stay.  KEEP: all stay.  RESET: a NOTIFICATION of these codes."""
from stand import *

WITHDRAW, KEEP, RESET, UNUSED = 'treat-as-withdraw', 'kept', 'session reset', 'not used, session kept'
HEAD, FAMILY = [(3, 1)], [(3, 9), (3, 1), (3, 10)]


def with_attributes(*change, drop=(), **given):
    """the usual attributes, those of `drop` left out, others put in the place that their type has"""
    def message(n, p):
        mine = [a for a in path_attributes(n, **given) if a[1] not in drop] + [x(n) if callable(x) else x for x in change]
        return update(sorted(mine, key=lambda a: a[1]), [p])
    return message


def seg(kind, members, count=None):
    return bytes([kind, len(members) if count is None else count]) + b''.join(struct.pack('!I', x) for x in members)


def as_path(value):
    return with_attributes(lambda n: attr(0x40, 2, value(n) if callable(value) else value), drop=(2,))


def flags(kind, bits):
    """the attribute of that type, in other flags"""
    def message(n, p):
        mine = [bytes([bits]) + a[1:] if a[1] == kind else a for a in path_attributes(n, med=5, communities=['1:2'])]
        return update(mine, [p])
    return message


def extra(*a):
    return with_attributes(*a)


def raw(at, nlri_):
    return lambda n, p: update(path_attributes(n), raw_nlri=nlri_)


# id, text, message, what is to happen, codes, iBGP
ROWS = [
    ('V01', 'withdrawn routes run past the message', lambda n, p: update(path_attributes(n), [p], wlen=4000), RESET, HEAD + [(3, 10)], False),
    ('V02', 'withdrawn routes of prefix length 33', lambda n, p: update(raw_withdrawn=bytes([33, 30, 0, 0, 0, 0])), RESET, [(3, 10), (3, 1)], False),
    ('V03', 'withdrawn routes cut short', lambda n, p: update(raw_withdrawn=bytes([24, 30, 0])), RESET, [(3, 10), (3, 1)], False),
    ('V04', 'NLRI cut short', raw(0, bytes([24, 30, 0])), RESET, [(3, 10), (3, 1)], False),
    ('V05', 'NLRI: a prefix length and nothing behind it', lambda n, p: update(path_attributes(n), raw_nlri=nlri(p) + bytes([8])), RESET, [(3, 10), (3, 1)], False),
    ('V06', 'MP_UNREACH_NLRI twice', lambda n, p: update(path_attributes(n) + [a_mp_unreach(1, ['30.9.0.0/24'])] * 2, [p]), RESET, HEAD, False),
    ('V07', 'MP_REACH_NLRI: next hop of 5 octets', lambda n, p: update(path_attributes(n, nh='') + [attr(0x80, 14, struct.pack('!HBB', 1, 1, 5) + b'\n\0\0e\0\0' + nlri(p))]), RESET, FAMILY, False),
    ('V08', 'MP_REACH_NLRI of 4 octets', lambda n, p: update(path_attributes(n, nh='') + [attr(0x80, 14, b'\0\1\1\4')]), RESET, FAMILY, False),
    ('V09', 'MP_REACH_NLRI: prefix cut short', lambda n, p: update(path_attributes(n, nh='') + [attr(0x80, 14, struct.pack('!HBB', 1, 1, 4) + socket.inet_aton(n['addr']) + b'\0' + bytes([24, 30]))]), RESET, FAMILY, False),
    ('V10', 'MP_REACH_NLRI: prefix length 33', lambda n, p: update(path_attributes(n, nh='') + [attr(0x80, 14, struct.pack('!HBB', 1, 1, 4) + socket.inet_aton(n['addr']) + b'\0' + bytes([33, 30, 0, 0, 0, 0]))]), RESET, FAMILY, False),
    ('V11', 'MP_UNREACH_NLRI of 2 octets', lambda n, p: update([attr(0x80, 15, b'\0\1')]), RESET, FAMILY, False),
    ('V12', 'ORIGIN twice: the first counts', extra(a_origin(3)), KEEP, None, False),
    ('V13', 'MED twice: the first counts', with_attributes(attr(0x80, 4, b'\0'), med=4), KEEP, None, False),
    ('V14', 'COMMUNITIES twice, the second one damaged', with_attributes(attr(0xc0, 8, b'\0\1\2'), communities=['1:2']), KEEP, None, False),
    ('V15', 'the last attribute is one octet of flags', lambda n, p: update(b''.join(path_attributes(n)) + b'\xc0', [p]), WITHDRAW, None, False),
    ('V16', 'the last attribute ends behind its type', lambda n, p: update(b''.join(path_attributes(n)) + b'\xc0\x08', [p]), WITHDRAW, None, False),
    ('V17', 'the last attribute has half an extended length', lambda n, p: update(b''.join(path_attributes(n)) + b'\xd0\x08\0', [p]), WITHDRAW, None, False),
    ('V18', 'AS_PATH with the Optional flag', flags(2, 0xc0), WITHDRAW, None, False),
    ('V19', 'NEXT_HOP without the Transitive flag', flags(3, 0x00), WITHDRAW, None, False),
    ('V20', 'MED with the Transitive flag', flags(4, 0xc0), WITHDRAW, None, False),
    ('V21', 'COMMUNITIES without the Optional flag', flags(8, 0x40), WITHDRAW, None, False),
    ('V22', 'ORIGIN missing', with_attributes(drop=(1,)), WITHDRAW, None, False),
    ('V23', 'NEXT_HOP missing', with_attributes(drop=(3,)), WITHDRAW, None, False),
    ('V24', 'no attribute at all', lambda n, p: update([], [p]), WITHDRAW, None, False),
    ('V25', 'ORIGIN of 2 octets', with_attributes(attr(0x40, 1, b'\0\0'), drop=(1,)), WITHDRAW, None, False),
    ('V26', 'ORIGIN of 0 octets', with_attributes(attr(0x40, 1, b''), drop=(1,)), WITHDRAW, None, False),
    ('V27', 'AS_PATH: one octet left over', as_path(lambda n: seg(2, [n['asn']]) + b'\2'), WITHDRAW, None, False),
    ('V28', 'AS_PATH: a segment of length 0', as_path(lambda n: seg(2, [n['asn']]) + seg(2, [])), WITHDRAW, None, False),
    ('V29', 'AS_PATH: segment type 9', as_path(lambda n: seg(2, [n['asn']]) + seg(9, [7])), WITHDRAW, None, False),
    ('V30', 'AS_PATH: AS_CONFED_SEQUENCE from a peer outside', as_path(lambda n: seg(3, [7]) + seg(2, [n['asn']])), WITHDRAW, None, False),
    ('V31', 'AS_PATH: a segment one number short', as_path(lambda n: seg(2, [n['asn'], 7], 3)), WITHDRAW, None, False),
    ('V32', 'AS 0 in AS_PATH (RFC 7607)', as_path(lambda n: seg(2, [n['asn'], 0, 7])), WITHDRAW, None, False),
    ('V33', 'AGGREGATOR with AS 0 (RFC 7607)', extra(attr(0xc0, 7, b'\0\0\0\0\1\1\1\1')), KEEP, None, False),
    ('V34', 'NEXT_HOP of 5 octets', with_attributes(attr(0x40, 3, b'\n\0\0\1\1'), drop=(3,)), WITHDRAW, None, False),
    ('V35', 'NEXT_HOP of 0 octets', with_attributes(attr(0x40, 3, b''), drop=(3,)), WITHDRAW, None, False),
    ('V36', 'NEXT_HOP multicast', with_attributes(nh='224.0.0.5'), UNUSED, None, False),
    ('V37', 'NEXT_HOP is our own address', with_attributes(nh=DUT), UNUSED, None, False),
    ('V38', 'NEXT_HOP loopback', with_attributes(nh='127.0.0.9'), UNUSED, None, False),
    ('V39', 'MED of 5 octets', extra(attr(0x80, 4, b'\0\0\0\0\1')), WITHDRAW, None, False),
    ('V40', 'LOCAL_PREF of 3 octets from iBGP', with_attributes(attr(0x40, 5, b'\0\0\1'), drop=(5,)), WITHDRAW, None, True),
    ('V41', 'ATOMIC_AGGREGATE of 1 octet', extra(attr(0x40, 6, b'\0')), KEEP, None, False),
    ('V42', 'AGGREGATOR of 6 octets from a 4-octet peer', extra(attr(0xc0, 7, b'\0\1\1\1\1\1')), KEEP, None, False),
    ('V43', 'AGGREGATOR of 9 octets', extra(attr(0xc0, 7, b'\0' * 9)), KEEP, None, False),
    ('V44', 'COMMUNITIES of 0 octets', extra(attr(0xc0, 8, b'')), WITHDRAW, None, False),
    ('V45', 'EXTENDED COMMUNITIES of 7 octets', extra(attr(0xc0, 16, b'\0' * 7)), WITHDRAW, None, False),
    ('V46', 'EXTENDED COMMUNITIES of 0 octets', extra(attr(0xc0, 16, b'')), WITHDRAW, None, False),
    ('V47', 'LARGE COMMUNITIES of 11 octets', extra(attr(0xc0, 32, b'\0' * 11)), WITHDRAW, None, False),
    ('V48', 'LARGE COMMUNITIES of 0 octets', extra(attr(0xc0, 32, b'')), WITHDRAW, None, False),
    ('V49', 'ORIGINATOR_ID from eBGP', extra(a_originator('5.5.5.5')), KEEP, None, False),
    ('V50', 'ORIGINATOR_ID of 3 octets from eBGP', extra(attr(0x80, 9, b'\1\1\1')), KEEP, None, False),
    ('V51', 'CLUSTER_LIST of 3 octets from eBGP', extra(attr(0x80, 10, b'\1\1\1')), KEEP, None, False),
    ('V52', 'ORIGINATOR_ID is ours, from eBGP', extra(a_originator(DUT)), KEEP, None, False),
    ('V53', 'CLUSTER_LIST of 3 octets from iBGP', extra(attr(0x80, 10, b'\1\1\1')), WITHDRAW, None, True),
    ('V54', 'CLUSTER_LIST of 0 octets from iBGP', extra(attr(0x80, 10, b'')), WITHDRAW, None, True),
    ('V55', 'ORIGINATOR_ID of 0 octets from iBGP', extra(attr(0x80, 9, b'')), WITHDRAW, None, True),
    ('V56', 'AS4_PATH from a 4-octet peer', extra(a_as4path([AS, 7])), KEEP, None, False),
    ('V57', 'AS4_PATH damaged, from a 4-octet peer', extra(attr(0xc0, 17, b'\2\9\1')), KEEP, None, False),
    ('V58', 'AS4_AGGREGATOR of 5 octets', extra(attr(0xc0, 18, b'\0' * 5)), KEEP, None, False),
    ('V59', 'LOCAL_PREF from eBGP', with_attributes(lp=7), KEEP, None, False),
    ('V60', 'unknown optional transitive attribute of 0 octets', extra(attr(0xc0, 213, b'')), KEEP, None, False),
    ('V61', 'attribute of type 0, optional', extra(attr(0xc0, 0, b'x')), KEEP, None, False),
    ('V62', 'MP_REACH_NLRI of a family that was not agreed (IPv6)', lambda n, p: update([a_mp_reach(2, 'fd00:10::99', ['fd77::/64'])] + path_attributes(n), [p]), KEEP, None, False),
    ('V63', 'MP_REACH_NLRI of an unknown family (25/70)', lambda n, p: update([attr(0x80, 14, struct.pack('!HBB', 25, 70, 4) + b'\n\0\0\1\0' + b'\2\x21' + b'\0' * 33)] + path_attributes(n), [p]), KEEP, None, False),
    ('V64', 'IPv4 in MP_REACH_NLRI, with an IPv4 next hop', lambda n, p: update([a_mp_reach(1, n['addr'], [p])] + path_attributes(n, nh='')), KEEP, None, False),
    ('V65', 'damaged attributes and no prefix to withdraw (RFC 7606 5.2)', lambda n, p: update(path_attributes(n) + [attr(0xc0, 8, b'\0')]), RESET, [(3, 1), (3, 5), (3, 9)], False),
    ('V66', 'attributes and no prefix', lambda n, p: update(path_attributes(n)), KEEP, None, False),
    ('V67', 'End-of-RIB, though there is no graceful restart', lambda n, p: EOR4, KEEP, None, False),
    ('V68', 'the same prefix twice in one UPDATE', lambda n, p: update(path_attributes(n), [p, p]), KEEP, None, False),
    ('V69', 'unused flag bits are set', lambda n, p: update([bytes([a[0] | 0x0f]) + a[1:] for a in path_attributes(n)], [p]), KEEP, None, False),
    ('V70', 'an attribute of more than 255 octets, extended length', extra(attr(0xc0, 213, b'y' * 300)), KEEP, None, False),
    ('V71', 'MED damaged, and the prefix also among the withdrawn', lambda n, p: update(path_attributes(n) + [attr(0x80, 4, b'\1')], [p], withdrawn=['30.9.9.0/24']), WITHDRAW, None, False),
    ('V72', 'two damages: ORIGIN 3 and MED of 3 octets', with_attributes(a_origin(3), attr(0x80, 4, b'\0\0\1'), drop=(1,)), WITHDRAW, None, False),
    ('V73', 'a damage that resets, behind one that withdraws', lambda n, p: update([a_origin(3)] + path_attributes(n)[1:], raw_nlri=bytes([33, 30, 0, 0, 0, 0])), RESET, [(3, 10), (3, 1)], False),
]


def sc_damage(c, kind):
    """damaged and odd UPDATEs: the other half"""
    nbs = {cid: dict(remoteAs=AS) if ibgp else {} for cid, *_, ibgp in ROWS} | {'two': {}, 'obs': {}, 'six': dict(v6=True), 'six2': dict(v6=True), 'six3': dict(v6=True)}
    with Stand(kind, 'damage', nbs) as s:
        n = s.nb
        obs = s.up('obs')
        peers = {cid: s.up(cid) for cid, *_ in ROWS}
        if not c.ok('V00', 'a session for each row', obs and all(peers.values()), [k for k, p in peers.items() if not p]):
            peers = {k: p for k, p in peers.items() if p}
        at = {cid: ('30.%d.0.0/24' % (100 + i), '30.%d.1.0/24' % (100 + i)) for i, (cid, *_) in enumerate(ROWS)}
        for cid, p in peers.items():
            s.announce(p, cid, list(at[cid]))
        wait_for(lambda: all_installed(s.d, *[(x, None) for k in peers for x in at[k]]), 6)
        good = fib('bgn1')
        for cid, _, message, *_ in ROWS:
            if cid in peers:
                try:
                    peers[cid].send(message(n[cid], at[cid][0]))
                except OSError:
                    pass
        time.sleep(2.5)
        after = fib('bgn1')
        for cid, text, message, wanted, codes, ibgp in ROWS:
            if cid not in peers:
                continue
            p, (first, second) = peers[cid], at[cid]
            x = p.notif()
            up = not p.closed and not x
            seen = 'NOTIFICATION %s' % err_name(*x[:2]) if x else 'closed' if p.closed else 'session kept, prefix %s, the other one %s' % ('kept' if first in after else 'gone', 'kept' if second in after else 'gone')
            if wanted == RESET:
                ok = x and x[:2] in codes and first not in after
            else:
                ok = up and second in after and (first in after) == (wanted == KEEP)
            c.ok(cid, '%s: %s' % (text, wanted), ok and first in good, seen)

        # what others are told
        v = obs.rib.get(at['V12'][0])
        c.ok('V80', 'ORIGIN twice: others are told the first', v and v['origin'] == 0)
        v = obs.rib.get(at['V14'][0])
        c.ok('V81', 'COMMUNITIES twice: others are told the first', v and v['communities'] == ['1:2'], v and v['communities'])
        v = [obs.rib.get(at[k][0]) for k in ('V49', 'V56', 'V41', 'V33')]
        c.ok('V82', 'what was dropped is not passed on: ORIGINATOR_ID, AS4_PATH, ATOMIC_AGGREGATE, AGGREGATOR', all(u and not {9, 17, 6, 7} & set(u['attrs']) for u in v), [u and u['order'] for u in v])
        p = peers.get('V66')
        p.send(update(path_attributes(n['V66']), raw_nlri=bytes([23, 31, 0, 1])))
        v, t = wait_for(lambda: '31.0.0.0/23' in fib('bgn1'), 4)
        c.ok('V83', 'bits behind the prefix length are masked: 31.0.1.0/23 is 31.0.0.0/23', v and obs.wait_rib('31.0.0.0/23', 3), [x for x in fib('bgn1') if x.startswith('31.')])
        p.send(update(path_attributes(n['V66']), raw_nlri=bytes([0])) )
        v, t = wait_for(lambda: '0.0.0.0/0' in obs.rib or '0.0.0.0/0' in fib('bgn1'), 3)
        c.ok('V84', 'a default route is no damage', p.alive(0.3), v and 'taken')

        # a 2-octet speaker
        two, t2 = s.up('two', caps=[cap_mp(1), CAP_RR]), n['two']
        old = lambda path, *more: [a_origin(), a_aspath(path, as4=False), a_nexthop(t2['addr'])] + list(more)
        prefixes = {'plain': '32.0.0.0/24', 'bad4': '32.1.0.0/24', 'agg': '32.2.0.0/24', 'longer': '32.3.0.0/24', 'zero': '32.4.0.0/24', 'agg4': '32.5.0.0/24', 'trans': '32.6.0.0/24'}
        if two:
            two.send(update(old([t2['asn']]), [prefixes['plain']]))
            two.send(update(old([t2['asn'], 23456], attr(0xc0, 17, b'\2\9\1')), [prefixes['bad4']]))
            two.send(update(old([t2['asn']], attr(0xc0, 7, struct.pack('!H', 7) + b'\1\1\1\1')), [prefixes['agg']]))
            two.send(update(old([t2['asn']], a_as4path([1, 2, 3])), [prefixes['longer']]))
            two.send(update(old([t2['asn'], 23456], a_as4path([0])), [prefixes['zero']]))
            two.send(update(old([t2['asn']], attr(0xc0, 7, struct.pack('!H', 23456) + b'\1\1\1\1'), attr(0xc0, 18, struct.pack('!I', 4200000033) + b'\1\1\1\1')), [prefixes['agg4']]))
            two.send(update(old([t2['asn'], 23456, 7], a_as4path([4200000034, 7])), [prefixes['trans']]))
        obs.wait_rib(prefixes['trans'], 4)
        time.sleep(0.5)
        path = {k: flat_path(obs.rib[x]) for k, x in prefixes.items() if x in obs.rib}
        c.ok('V85', 'a damaged AS4_PATH is dropped: AS_PATH counts', path.get('bad4') == [AS, t2['asn'], 23456] and two.alive(0.2), path)
        c.ok('V86', 'an AS4_PATH longer than AS_PATH is ignored (RFC 6793 4.2.3)', path.get('longer') == [AS, t2['asn']], path)
        c.ok('V87', 'AS4_PATH counts from the right: what AS_PATH has more stays in front', path.get('trans') == [AS, t2['asn'], 4200000034, 7], path)
        c.ok('V88', 'AGGREGATOR of 6 octets from a 2-octet peer is right', prefixes['agg'] in obs.rib and obs.rib[prefixes['agg']]['attrs'].get(7) == struct.pack('!I', 7) + b'\1\1\1\1', prefixes['agg'] in obs.rib and obs.rib[prefixes['agg']]['attrs'].get(7))
        c.ok('V89', 'AS_TRANS in AGGREGATOR: AS4_AGGREGATOR counts', prefixes['agg4'] in obs.rib and obs.rib[prefixes['agg4']]['attrs'].get(7) == struct.pack('!I', 4200000033) + b'\1\1\1\1' and 18 not in obs.rib[prefixes['agg4']]['attrs'])
        c.ok('V90', 'AS 0 in AS4_PATH (RFC 7607): withdraw', 'zero' not in path and two.alive(0), path.get('zero'))

        # IPv6
        six = s.up('six')
        s.announce(six, 'six', 'fd78:1::/64')
        s.announce(six, 'six', 'fd78:2::/64')
        wait_for(lambda: all_installed(s.d, ('fd78:1::/64', None), ('fd78:2::/64', None)), 4)
        s.announce(six, 'six', 'fd78:1::/64', origin=3)
        v, t = wait_for(lambda: not installed(s.d, 'fd78:1::/64'), 3)
        c.ok('V91', 'IPv6: ORIGIN 3: treat-as-withdraw', v and installed(s.d, 'fd78:2::/64') and six.alive(0.2))
        s.announce(six, 'six', 'fd78:1::/64')
        wait_for(lambda: installed(s.d, 'fd78:1::/64'), 3)
        six.send(update(path_attributes(n['six'], nh='') + [a_mp_reach(2, n['six']['addr'], ['fd78:1::/64'])]))
        c.ok('V92', 'IPv6: MP_REACH_NLRI behind the others is right', six.alive(0.8) and installed(s.d, 'fd78:1::/64'))
        six.send(update([a_mp_reach(2, n['six']['addr'], ['fd78:3::/64'])] + path_attributes(n['six'], nh='10.0.0.99')))
        v, t = wait_for(lambda: installed(s.d, 'fd78:3::/64', n['six']['addr']), 3)
        c.ok('V93', 'IPv6: a NEXT_HOP beside MP_REACH_NLRI is ignored', v and six.alive(0.2))
        six.send(update([a_mp_reach(2, n['six']['addr'], ['fd78:4::/64']), a_mp_unreach(2, ['fd78:2::/64'])] + path_attributes(n['six'], nh='')))
        v, t = wait_for(lambda: installed(s.d, 'fd78:4::/64') and not installed(s.d, 'fd78:2::/64'), 3)
        c.ok('V94', 'IPv6: MP_REACH_NLRI and MP_UNREACH_NLRI in one UPDATE', v and six.alive(0.2))
        six2 = s.up('six2')
        six2.send(update([attr(0x80, 14, struct.pack('!HBB', 2, 1, 16) + socket.inet_pton(socket.AF_INET6, n['six2']['addr']) + b'\0' + bytes([129]) + b'\xfd' * 17)] + path_attributes(n['six2'], nh='')))
        x = six2.wait_notification(3)
        c.ok('V95', 'IPv6: prefix length 129: session reset', x and x[:2] in FAMILY, x)
        six3 = s.up('six3')
        six3.send(update([attr(0x80, 15, struct.pack('!HB', 2, 1) + bytes([64]) + b'\xfd\0')]))
        x = six3.wait_notification(3)
        c.ok('V96', 'IPv6: MP_UNREACH_NLRI cut short: session reset', x and x[:2] in FAMILY, x)
        c.ok('V97', 'a bystander saw nothing of it but routes', obs.alive(0.2))


SCENARIOS = {'damage': sc_damage}
