"""Row 25: each step of the decision process alone.  The loser of a row is better in every later step, so that only the step of
the row can have decided.  Every row in both orders of arrival; what decides is the next hop in the kernel."""
import itertools
from stand import *

# e1, e3: the same AS.  e4, i3: lower identifiers than their addresses would suggest.
NEIGHBOURS = {
    'e1': dict(remoteAs=65100), 'e2': dict(remoteAs=65101), 'e3': dict(remoteAs=65100), 'e4': dict(remoteAs=65103, rid='10.0.0.50'),
    'i1': dict(remoteAs=AS), 'i2': dict(remoteAs=AS), 'i3': dict(remoteAs=AS, rid='10.0.0.60'),
    's1': dict(v6=True, remoteAs=AS), 's2': dict(v6=True, remoteAs=AS)}
FAR = '192.0.2.9'               # behind e3, by a static route of metric 50
NOWHERE = '198.51.100.9'


def set_after(first, members):
    """AS_PATH of a sequence of one and a set"""
    return struct.pack('!BBI', 2, 1, first) + struct.pack('!BB', 1, len(members)) + b''.join(struct.pack('!I', x) for x in members)


# id, step, winner and its attributes, loser and its attributes
ROWS = [
    ('D01', 'next hop resolvable before LOCAL_PREF', 'i2', dict(lp=50), 'i1', dict(lp=200, nh=NOWHERE)),
    ('D02', 'LOCAL_PREF: the higher, before AS_PATH, ORIGIN and MED', 'i2', dict(lp=200, path=[1, 2, 3], origin=2, med=50), 'i1', dict(lp=100, path=[1])),
    ('D03', 'LOCAL_PREF 101 of iBGP over an eBGP path, which counts as 100', 'i2', dict(lp=101, path=[9, 9]), 'e1', {}),
    ('D04', 'LOCAL_PREF 99 of iBGP under an eBGP path', 'e2', dict(path=[65101, 1, 2], origin=2), 'i3', dict(lp=99)),
    ('D05', 'LOCAL_PREF 2147482623, as Calico sends it, over 2147482622: unsigned 32 bits', 'i2', dict(lp=0x80000001), 'i1', dict(lp=0x7fffffff)),
    ('D06', 'AS_PATH: the shorter, before ORIGIN', 'e2', dict(origin=2), 'e1', dict(path=[65100, 1], origin=0)),
    ('D07', 'AS_PATH: prepending counts', 'e2', dict(path=[65101, 5]), 'e1', dict(path=[65100, 65100, 65100])),
    ('D08', 'AS_PATH: a set counts one', 'e2', dict(path=set_after(65101, [1, 2, 3])), 'e1', dict(path=[65100, 1, 2])),
    ('D09', 'ORIGIN IGP over EGP, before MED', 'e3', dict(origin=0, med=50), 'e1', dict(origin=1, med=0)),
    ('D10', 'ORIGIN EGP over INCOMPLETE', 'e3', dict(origin=1, med=50), 'e1', dict(origin=2, med=0)),
    ('D11', 'MED of the same neighbour AS: the lower', 'e3', dict(med=10), 'e1', dict(med=20)),
    ('D12', 'MED missing counts 0', 'e3', {}, 'e1', dict(med=1)),
    ('D13', 'MED of different neighbour AS is not compared: the identifier decides', 'e1', dict(med=50), 'e2', dict(med=0)),
    ('D14', 'MED in iBGP paths: the neighbour AS is the first of the AS_PATH', 'i2', dict(path=[7, 8], med=5), 'i1', dict(path=[7, 9], med=6)),
    ('D15', 'MED in iBGP paths of different neighbour AS is not compared', 'i1', dict(path=[7, 8], med=6), 'i2', dict(path=[8, 8], med=5)),
    ('D16', 'MED is unsigned: 1 under 2147483648', 'e3', dict(med=1), 'e1', dict(med=0x80000000)),
    ('D17', 'eBGP before iBGP, before identifiers', 'e2', dict(path=[65101, 9]), 'i3', dict(path=[9, 9])),
    ('D18', 'metric of the way to the next hop: the lower', 'i2', {}, 'i1', dict(nh=FAR)),
    ('D19', 'BGP identifier: the lower, before the address', 'e4', {}, 'e1', {}),
    ('D20', 'BGP identifier, iBGP', 'i3', {}, 'i1', {}),
    ('D21', "ORIGINATOR_ID in the identifier's place", 'i2', dict(originator='10.0.0.40', clusters=['1.1.1.1']), 'i3', {}),
    ('D22', 'CLUSTER_LIST: the shorter, before the address', 'i2', dict(originator='9.9.9.9', clusters=['1.1.1.1']), 'i1', dict(originator='9.9.9.9', clusters=['1.1.1.1', '2.2.2.2'])),
    ('D23', 'no CLUSTER_LIST is the shortest', 'i2', {}, 'i1', dict(originator='10.0.0.106', clusters=['1.1.1.1'])),
    ('D24', 'address of the neighbour: the lower', 'i1', dict(originator='9.9.9.9', clusters=['1.1.1.1']), 'i2', dict(originator='9.9.9.9', clusters=['1.1.1.1'])),
    ('D35', 'GRACEFUL_SHUTDOWN (RFC 8326): the last choice', 'e2', dict(path=[65101, 1, 2], origin=2), 'e1', dict(communities=['65535:0'])),
    ('D25', 'IPv6: LOCAL_PREF', 's2', dict(lp=200, path=[1, 2]), 's1', {}),
    ('D26', 'IPv6: address of the neighbour', 's1', dict(originator='9.9.9.9', clusters=['1.1.1.1']), 's2', dict(originator='9.9.9.9', clusters=['1.1.1.1'])),
]


def prefix_of(row, order):
    return ('fd50:%x:%x::/64' if ROWS[row][2][0] == 's' else '50.%d.%d.0/24') % (row, order)


def sc_decision(c, kind):
    """decision process: every step alone, both orders of arrival"""
    with Stand(kind, 'decision', NEIGHBOURS, networks=['10.1.0.0/24', '10.1.1.0/24']) as s:
        ip('route add 192.0.2.0/24 via %s metric 50 proto static' % s.nb['e3']['addr'], 'bgn1')
        peers = {k: s.up(k) for k in NEIGHBOURS}
        if not c.ok('D00', 'nine sessions Established', all(peers.values()), [k for k, p in peers.items() if not p]):
            return

        def send(who, row, order, given):
            s.announce(peers[who], who, prefix_of(row, order), **given)
        via = lambda who, given: s.nb['e3']['addr'] if given.get('nh') == FAR else s.nb[who]['addr']
        reachable = lambda given: given.get('nh') != NOWHERE
        # order 0: the winner comes first; order 1: the loser does
        for i, (_, _, w, wa, l, la) in enumerate(ROWS):
            send(w, i, 0, wa)
            send(l, i, 1, la)
        first = [(prefix_of(i, 0), via(r[2], r[3])) for i, r in enumerate(ROWS)] + [(prefix_of(i, 1), via(r[4], r[5])) for i, r in enumerate(ROWS) if reachable(r[5])]
        wait_for(lambda: all_installed(s.d, *first), 8)
        alone = [all_installed(s.d, x) for x in first]
        for i, (_, _, w, wa, l, la) in enumerate(ROWS):
            send(l, i, 0, la)
            send(w, i, 1, wa)
        # what every neighbour sends last has been chosen from when it is there
        for j, k in enumerate(NEIGHBOURS):
            s.announce(peers[k], k, ('fd51:%x::/64' if s.nb[k]['v6'] else '51.0.%d.0/24') % j)
        last = [(('fd51:%x::/64' if s.nb[k]['v6'] else '51.0.%d.0/24') % j, None) for j, k in enumerate(NEIGHBOURS)]
        wait_for(lambda: all_installed(s.d, *last), 8)
        final = [(prefix_of(i, order), via(r[2], r[3])) for i, r in enumerate(ROWS) for order in (0, 1)]
        wait_for(lambda: all_installed(s.d, *final), 3)
        table = dict(fib('bgn1'), **fib('bgn1', 6))
        for i, (cid, text, w, wa, l, la) in enumerate(ROWS):
            got = [table.get(prefix_of(i, order), {}).get('via') for order in (0, 1)]
            c.ok(cid, text, all(all_installed(s.d, (prefix_of(i, order), via(w, wa))) for order in (0, 1)), 'winner first: %s, loser first: %s, wanted %s' % (got[0], got[1], via(w, wa)))
        c.ok('D27', 'each path was used as long as it was alone', all(alone), [x for x, y in zip(first, alone) if not y])

        # locally originated
        peers['e1'].send(route(s.nb['e1'], '10.1.0.0/24', med=0))
        peers['i1'].send(route(s.nb['i1'], '10.1.1.0/24'))
        s.announce(peers['i1'], 'i1', '51.1.0.0/24')
        wait_for(lambda: all_installed(s.d, ('51.1.0.0/24', None)), 4)
        own = [fib('bgn1').get(p, {}).get('type') for p in ('10.1.0.0/24', '10.1.1.0/24')]
        c.ok('D28', 'an own network wins over the same prefix of eBGP and of iBGP peers: still a blackhole', own == ['blackhole'] * 2, own)
        seen = [flat_path(peers['e2'].rib[p]) for p in ('10.1.0.0/24', '10.1.1.0/24') if p in peers['e2'].rib]
        c.ok('D29', 'and is what others are told', seen == [[AS], [AS]], seen)

        # MED is deterministic: e1 beats e2 by identifier, e2 beats e3 by identifier, e3 beats e1 by MED.  Grouped by AS, e2 wins.
        meds = {'e1': 20, 'e2': 0, 'e3': 10}
        wanted = []
        for o, order in enumerate(itertools.permutations(meds)):
            for k in order:
                s.announce(peers[k], k, '52.0.%d.0/24' % o, med=meds[k])
                time.sleep(0.15)
            wanted.append(('52.0.%d.0/24' % o, s.nb['e2']['addr']))
        wait_for(lambda: all_installed(s.d, *wanted), 3)
        c.ok('D30', 'MED: the same winner in all six orders of three paths', all_installed(s.d, *wanted), [fib('bgn1').get(p, {}).get('via') for p, _ in wanted])

        # what changes later
        step = prefix_of(1, 0)          # D02: i2 over i1
        peers['i2'].send(gone(step))
        v, t = wait_for(lambda: installed(s.d, step, s.nb['i1']['addr']), 4)
        c.ok('D31', 'the winner withdrawn: the other one is used', v, '%.2f s' % t)
        s.announce(peers['i2'], 'i2', step, lp=200)
        v, t = wait_for(lambda: installed(s.d, step, s.nb['i2']['addr']), 4)
        s.announce(peers['i2'], 'i2', step, lp=90)
        v2, t = wait_for(lambda: installed(s.d, step, s.nb['i1']['addr']), 4)
        c.ok('D32', 'the winner announced again with a LOCAL_PREF that is too low: the other one is used', v and v2)
        s.announce(peers['i1'], 'i1', '53.0.0.0/24', lp=200, nh='198.18.0.9')
        s.announce(peers['i2'], 'i2', '53.0.0.0/24')
        v, t = wait_for(lambda: installed(s.d, '53.0.0.0/24', s.nb['i2']['addr']), 4)
        ip('addr add 198.18.0.1/24 dev bge0', 'bgn1')
        v2, t2 = wait_for(lambda: installed(s.d, '53.0.0.0/24', '198.18.0.9'), 8)
        c.ok('D33', 'the next hop becomes reachable (an address is added): the better path is used', v and v2, '%.1f s' % t2)
        ip('addr del 198.18.0.1/24 dev bge0', 'bgn1')
        v, t = wait_for(lambda: installed(s.d, '53.0.0.0/24', s.nb['i2']['addr']), 8)
        c.ok('D34', 'and is left when the next hop is unreachable again', v2 and v, '%.1f s' % t)


def sc_older(c, kind):
    """preferOlder: RFC 5004"""
    for older in (False, True):
        with Stand(kind, 'older', {'e1': {}, 'e2': {}, 'i1': dict(remoteAs=AS), 'i2': dict(remoteAs=AS)}, preferOlder=older) as s:
            peers = {k: s.up(k) for k in s.nb}
            if not c.ok('D40' if older else 'D43', 'sessions Established', all(peers.values())):
                continue
            s.announce(peers['e2'], 'e2', '54.0.0.0/24')
            s.announce(peers['i2'], 'i2', '54.1.0.0/24')
            wait_for(lambda: all_installed(s.d, ('54.0.0.0/24', None), ('54.1.0.0/24', None)), 4)
            time.sleep(1.1)
            s.announce(peers['e1'], 'e1', '54.0.0.0/24')
            s.announce(peers['i1'], 'i1', '54.1.0.0/24')
            wanted = s.nb['e2' if older else 'e1']['addr']
            v, t = wait_for(lambda: installed(s.d, '54.0.0.0/24', wanted) and installed(s.d, '54.1.0.0/24', s.nb['i1']['addr']), 2)
            v = v and holds(lambda: installed(s.d, '54.0.0.0/24', wanted), 1)
            got = [fib('bgn1').get(p, {}).get('via') for p in ('54.0.0.0/24', '54.1.0.0/24')]
            if older:
                c.ok('D41', 'preferOlder: an external path stays when one with a lower identifier comes; internal ones go by identifier', v, got)
                s.announce(peers['e1'], 'e1', '54.0.0.0/24', origin=0)
                s.announce(peers['e2'], 'e2', '54.0.0.0/24', path=[65101, 1])
                v, t = wait_for(lambda: installed(s.d, '54.0.0.0/24', s.nb['e1']['addr']), 3)
                c.ok('D42', 'preferOlder: an earlier step still decides first', v)
            else:
                c.ok('D44', 'without preferOlder the lower identifier wins though it came later', v, got)


def sc_ecmp(c, kind):
    """several next hops: which paths are equal, and how many are used"""
    nbs = {'e1': {}, 'e2': {}, 'e3': dict(remoteAs=65100), 'i1': dict(remoteAs=AS), 'i2': dict(remoteAs=AS), 's1': dict(v6=True), 's2': dict(v6=True)}
    with Stand(kind, 'ecmp', nbs, ecmp=16) as s:
        peers = {k: s.up(k) for k in nbs}
        if not c.ok('D50', 'sessions Established', all(peers.values())):
            return
        at = {k: n['addr'] for k, n in s.nb.items()}

        def check(cid, text, prefix, wanted, *paths):
            for k, given in paths:
                s.announce(peers[k], k, prefix, **given)
            v, t = wait_for(lambda: installed(s.d, prefix, sorted(at[k] for k in wanted)), 4)
            v = v and holds(lambda: installed(s.d, prefix, sorted(at[k] for k in wanted)), 0.4)
            c.ok(cid, text, v, (has_route('bgn1', prefix) or {}).get('via'))
        check('D51', 'two external paths of the same length and different AS', '55.1.0.0/24', ['e1', 'e2'], ('e1', {}), ('e2', {}))
        check('D52', 'two external paths of the same AS', '55.2.0.0/24', ['e1', 'e3'], ('e1', {}), ('e3', {}))
        check('D53', 'not: a longer AS_PATH', '55.3.0.0/24', ['e2'], ('e1', dict(path=[65100, 5])), ('e2', {}))
        check('D54', 'not: a higher MED of the same AS', '55.4.0.0/24', ['e3'], ('e1', dict(med=5)), ('e3', dict(med=4)))
        check('D55', 'not: a lower LOCAL_PREF', '55.5.0.0/24', ['i2'], ('i1', {}), ('i2', dict(lp=101)))
        check('D56', 'not: another ORIGIN', '55.6.0.0/24', ['e2'], ('e1', dict(origin=2)), ('e2', {}))
        check('D57', 'not: an internal path beside an external one', '55.7.0.0/24', ['e1'], ('e1', dict(path=[65100])), ('i1', dict(path=[7])))
        check('D58', 'two internal paths', '55.8.0.0/24', ['i1', 'i2'], ('i1', {}), ('i2', {}))
        check('D59', 'two IPv6 paths', 'fd55:1::/64', ['s1', 's2'], ('s1', {}), ('s2', {}))
        check('D60', 'three paths', '55.9.0.0/24', ['e1', 'e2', 'e3'], ('e1', {}), ('e2', {}), ('e3', {}))
        s.announce(peers['e1'], 'e1', '55.10.0.0/24', nh=at['e2'])
        s.announce(peers['e2'], 'e2', '55.10.0.0/24')
        v, t = wait_for(lambda: installed(s.d, '55.10.0.0/24', at['e2']), 4)
        c.ok('D61', 'the same next hop of two paths is used once', v and holds(lambda: installed(s.d, '55.10.0.0/24', at['e2']), 0.4), (has_route('bgn1', '55.10.0.0/24') or {}).get('via'))
    with Stand(kind, 'ecmp2', {'e1': {}, 'e2': {}, 'e3': {}}, ecmp=2) as s:
        peers = {k: s.up(k) for k in s.nb}
        for k, p in peers.items():
            s.announce(p, k, '55.0.0.0/24')
        vias = lambda: (has_route('bgn1', '55.0.0.0/24') or {}).get('via') or []
        wait_for(lambda: len(vias()) == 2, 4)
        time.sleep(0.5)
        c.ok('D62', 'kernel.ecmp 2: two of three paths', len(vias()) == 2, vias())
        k = next(k for k in s.nb if s.nb[k]['addr'] in vias())
        third = next((x['addr'] for x in s.nb.values() if x['addr'] not in vias()), None)
        peers[k].send(gone('55.0.0.0/24'))
        v, t = wait_for(lambda: len(vias()) == 2 and third in vias(), 4)
        c.ok('D63', 'one of the two withdrawn: the third is used', v, vias())


SCENARIOS = {'decision': sc_decision, 'older': sc_older, 'ecmp': sc_ecmp}
