"""Row 30: ADD-PATH, RFC 7911."""
from stand import *

RECEIVE, SEND, BOTH = 1, 2, 3
V4, V6 = (1, 1), (2, 1)


def paths(p, prefix):
    """path id -> UPDATE, of what the DUT has sent"""
    with p.lock:
        return {k[1]: u for k, u in p.rib.items() if isinstance(k, tuple) and k[0] == prefix}


def with_id(n, prefix, pid, **given):
    if ':' in prefix:
        nh = given.pop('nh', None) or n['addr']
        return update([a_mp_reach(2, nh, [prefix], path_ids=[pid])] + path_attributes(n, nh='', **given))
    return update(path_attributes(n, **given), [prefix], path_ids=[pid])


def gone_id(prefix, pid):
    if ':' in prefix:
        return update(attr(0x80, 15, struct.pack('!HB', 2, 1) + nlri(prefix, pid)))
    return update(raw_withdrawn=nlri(prefix, pid))


def sc_addpath(c, kind):
    """several paths of one prefix"""
    nbs = {'r': dict(addPath='receive'), 's': dict(addPath='send'), 'b': dict(addPath='both'), 'x1': {}, 'x2': {}, 'plain': {}, 'mis': dict(addPath='send'), 'old': dict(addPath='both'),
           'sb': dict(v6=True, addPath='both'), 's1': dict(v6=True), 's2': dict(v6=True), 'dual': dict(addPath='both', families=['ipv4', 'ipv6'])}
    with Stand(kind, 'addpath', nbs, addresses=['10.0.0.201/24', '10.0.0.202/24', 'fd00:10::201/64', 'fd00:10::202/64']) as s:
        n = s.nb
        ap = lambda mode, *families: [cap_addpath(tuple((a, b, mode) for a, b in families or (V4,)))]
        r = s.up('r', ap(SEND))
        sd = s.up('s', ap(RECEIVE), addpath=(V4,))
        b = s.up('b', ap(BOTH), addpath=(V4,))
        x1, x2, plain, old = (s.up(k) for k in ('x1', 'x2', 'plain', 'old'))
        mis = s.up('mis', ap(SEND))
        sb = s.up('sb', ap(BOTH, V6), addpath=(V6,))
        s1, s2 = s.up('s1'), s.up('s2')
        dual = s.up('dual', ap(BOTH, V6), addpath=(V6,))
        if not c.ok('A01', 'sessions Established', all((r, sd, b, x1, x2, plain, old, mis, sb, s1, s2, dual))):
            return
        offered = {k: capset(p.remote_open).get(69, b'').hex() for k, p in (('r', r), ('s', sd), ('b', b), ('sb', sb), ('dual', dual), ('x1', x1))}
        c.ok('A02', 'capability 69: receive 1, send 2, both 3, for the families of the session; not there unasked',
             offered == {'r': '00010101', 's': '00010102', 'b': '00010103', 'sb': '00020103', 'dual': '0001010300020103', 'x1': ''}, offered)
        # receive
        A = '64.0.0.0/24'
        r.send(with_id(n['r'], A, 1, nh='10.0.0.201', path=[n['r']['asn'], 1]) + with_id(n['r'], A, 2, nh='10.0.0.202'))
        v, t = wait_for(lambda: installed(s.d, A, '10.0.0.202'), 4)
        c.ok('A03', 'receive: two paths of one prefix, the better one is used', v)
        r.send(gone_id(A, 2))
        v, t = wait_for(lambda: installed(s.d, A, '10.0.0.201'), 4)
        c.ok('A04', 'it is withdrawn by its id: the other one is used', v)
        r.send(gone_id(A, 77))
        c.ok('A05', 'an id that was never announced is withdrawn: nothing happens', holds(lambda: installed(s.d, A, '10.0.0.201'), 0.7) and r.alive(0))
        r.send(with_id(n['r'], A, 2, nh='10.0.0.202', path=[n['r']['asn'], 1, 2]) + with_id(n['r'], A, 1, nh='10.0.0.201', path=[n['r']['asn'], 1, 2, 3]))
        v, t = wait_for(lambda: installed(s.d, A, '10.0.0.202'), 4)
        c.ok('A06', 'the same id again replaces that path alone', v)
        u = plain.wait_rib(A, 4)
        v, t = wait_for(lambda: flat_path(plain.rib[A]) == [AS, n['r']['asn'], 1, 2], 3)
        c.ok('A07', 'who has not ADD-PATH is told the best one', v, u and flat_path(plain.rib[A]))
        v, t = wait_for(lambda: sorted(len(flat_path(x)) for x in paths(sd, A).values()) == [4, 5], 4)
        c.ok('A08', 'who has it is told both', v, {k: flat_path(x) for k, x in paths(sd, A).items()})
        r.send(with_id(n['r'], A, 0, nh='10.0.0.201'))
        v, t = wait_for(lambda: installed(s.d, A, '10.0.0.201') and len(paths(sd, A)) == 3, 4)
        c.ok('A09', 'path id 0 is an id like others', v, list(paths(sd, A)))
        # send
        B = '64.1.0.0/24'
        s.announce(x1, 'x1', B)
        s.announce(x2, 'x2', B, path=[n['x2']['asn'], 1])
        v, t = wait_for(lambda: len(paths(sd, B)) == 2 and len(paths(b, B)) == 2, 4)
        got = {flat_path(u)[1]: pid for pid, u in paths(sd, B).items()}
        c.ok('A10', 'send: the paths of two neighbours, with different ids', v and set(got) == {n['x1']['asn'], n['x2']['asn']}, got)
        own = paths(sd, '10.1.0.0/24')
        c.ok('A11', 'own networks have an id too', len(own) == 1, list(own))
        k0 = len(sd.log)
        x1.send(gone(B))
        v, t = wait_for(lambda: list(paths(sd, B)) == [got.get(n['x2']['asn'])], 4)
        c.ok('A12', 'one of them withdrawn: by its id; the other one keeps its own', v, list(paths(sd, B)))
        s.announce(x2, 'x2', B, path=[n['x2']['asn'], 1, 2])
        v, t = wait_for(lambda: [flat_path(u)[1:] for u in paths(sd, B).values()] == [[n['x2']['asn'], 1, 2]], 4)
        c.ok('A13', 'one of them changed: announced again with the same id', v and list(paths(sd, B)) == [got.get(n['x2']['asn'])], {k: flat_path(u) for k, u in paths(sd, B).items()})
        b.send(with_id(n['b'], B, 5))
        v, t = wait_for(lambda: len(paths(sd, B)) == 2, 4)
        time.sleep(0.5)
        c.ok('A14', 'not sent back to where it came from, but the others are', v and [flat_path(u)[1] for u in paths(b, B).values()] == [n['x2']['asn']], {k: flat_path(u) for k, u in paths(b, B).items()})
        # negotiation
        s.announce(mis, 'mis', '64.2.0.0/24')
        v, t = wait_for(lambda: installed(s.d, '64.2.0.0/24', n['mis']['addr']), 4)
        c.ok('A15', 'both sides only send: no path ids in either direction', v and mis.wait_rib(B, 3) and mis.alive(0.2), sorted(map(str, mis.rib)))
        s.announce(old, 'old', '64.3.0.0/24')
        v, t = wait_for(lambda: installed(s.d, '64.3.0.0/24', n['old']['addr']), 4)
        c.ok('A16', 'the peer has not the capability: no path ids', v and old.wait_rib(B, 3) and capset(old.remote_open).get(69))
        s.announce(dual, 'dual', '64.4.0.0/24')
        dual.send(with_id(n['dual'], 'fd64:4::/64', 9, nh='fd00:10::201'))
        v, t = wait_for(lambda: all_installed(s.d, ('64.4.0.0/24', n['dual']['addr']), ('fd64:4::/64', 'fd00:10::201')), 4)
        c.ok('A17', 'for one of two families alone: ids in IPv6, none in IPv4', v and dual.wait_rib(B, 3))
        # IPv6
        C6 = 'fd64::/64'
        for k, p in (('s1', s1), ('s2', s2)):
            s.announce(p, k, C6)
        v, t = wait_for(lambda: len(paths(sb, C6)) == 2, 4)
        got = {flat_path(u)[1]: pid for pid, u in paths(sb, C6).items()}
        s1.send(gone(C6))
        v2, t = wait_for(lambda: list(paths(sb, C6)) == [got.get(n['s2']['asn'])], 4)
        sb.send(with_id(n['sb'], 'fd64:1::/64', 1, nh='fd00:10::201', path=[n['sb']['asn'], 5]) + with_id(n['sb'], 'fd64:1::/64', 2, nh='fd00:10::202'))
        v3, t = wait_for(lambda: installed(s.d, 'fd64:1::/64', 'fd00:10::202'), 4)
        sb.send(gone_id('fd64:1::/64', 2))
        v4, t = wait_for(lambda: installed(s.d, 'fd64:1::/64', 'fd00:10::201'), 4)
        c.ok('A18', 'IPv6: two paths sent, one withdrawn by its id; two received, one withdrawn by its id', v and v2 and v3 and v4, (v, v2, v3, v4))
        r.close()
        v, t = wait_for(lambda: not installed(s.d, A) and not paths(sd, A), 4)
        c.ok('A19', 'the session ends: all its paths leave the kernel and the others', v, list(paths(sd, A)))
    with Stand(kind, 'addpathecmp', {'r': dict(addPath='receive')}, ecmp=16, addresses=['10.0.0.201/24', '10.0.0.202/24']) as s:
        r = s.up('r', [cap_addpath(((1, 1, SEND),))])
        if r:
            r.send(with_id(s.nb['r'], A, 1, nh='10.0.0.201') + with_id(s.nb['r'], A, 2, nh='10.0.0.202'))
        v, t = wait_for(lambda: installed(s.d, A, ['10.0.0.201', '10.0.0.202']), 4)
        r and r.send(gone_id(A, 1))
        v2, t = wait_for(lambda: installed(s.d, A, '10.0.0.202'), 4)
        c.ok('A20', 'two paths of one neighbour are equal: two next hops; one withdrawn: one', v and v2)


SCENARIOS = {'addpath': sc_addpath}
