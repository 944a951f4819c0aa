"""Rows 28 and 38: max prefixes, allowas-in."""
from stand import *


def sc_limits(c, kind):
    """max prefixes"""
    nbs = {'l': dict(maxPrefixes=3), 'd': dict(maxPrefixes=2, families=['ipv4', 'ipv6']), 'o': {}, 'one': dict(maxPrefixes=3), 'none': {}}
    with Stand(kind, 'limits', nbs) as s:
        n = s.nb
        p, o, d = s.up('l'), s.up('o'), s.up('d')
        if not c.ok('L00', 'sessions Established', p and o and d):
            return
        three = ['60.0.%d.0/24' % i for i in range(3)]
        s.announce(p, 'l', three)
        v, t = wait_for(lambda: all_installed(s.d, *[(x, n['l']['addr']) for x in three]), 4)
        c.ok('L01', 'maxPrefixes 3: three prefixes are taken', v and p.alive(0.5))
        s.announce(p, 'l', three, med=5)
        c.ok('L02', 'the same three again are no more than three', p.alive(0.7) and all_installed(s.d, *[(x, None) for x in three]))
        p.send(gone(three[0]))
        s.announce(p, 'l', '60.0.9.0/24')
        v, t = wait_for(lambda: installed(s.d, '60.0.9.0/24') and not installed(s.d, three[0]), 4)
        c.ok('L03', 'one withdrawn, another announced: taken', v and p.alive(0.5))
        s.announce(p, 'l', ['60.0.20.0/24', '60.0.21.0/24'], path=[n['l']['asn'], AS])
        c.ok('L04', 'prefixes that are not accepted (our AS in the path) do not count', p.alive(0.7) and not installed(s.d, '60.0.20.0/24'))
        s.announce(p, 'l', '60.0.10.0/24')
        x = p.wait_notification(4)
        v, t = wait_for(lambda: not any(k.startswith('60.0.') for k in fib('bgn1')), 3)
        c.ok('L05', 'one more: NOTIFICATION 6/1', x and x[:2] == (6, 1), x)
        c.ok('L06', 'and all its routes leave the kernel and a third router', v and wait_for(lambda: not any(k.startswith('60.0.') for k in o.rib), 3)[0], sorted(k for k in fib('bgn1') if k.startswith('60.')))
        c.ok('L07', 'with AFI, SAFI and the limit as data (RFC 4486)', x and (x[2] == b'' or x[2] == struct.pack('!HBI', 1, 1, 3)), x)
        s.announce(d, 'd', ['60.1.0.0/24', '60.1.1.0/24'])
        s.announce(d, 'd', ['fd60:1::/64', 'fd60:2::/64'], nh='fd00:10::99')
        ip('addr add fd00:10::99/64 dev bge0 nodad', PX)
        v, t = wait_for(lambda: all_installed(s.d, ('60.1.1.0/24', None), ('fd60:2::/64', None)), 4)
        c.ok('L08', 'the limit is for each family: two of both are taken', v and d.alive(0.5))
        s.announce(d, 'd', 'fd60:3::/64', nh='fd00:10::99')
        x = d.wait_notification(4)
        c.ok('L09', 'one more of IPv6: NOTIFICATION 6/1', x and x[:2] == (6, 1), x)
        v, t = wait_for(lambda: not installed(s.d, '60.1.0.0/24'), 3)
        c.ok('L10', 'and the IPv4 routes of that session leave too', v)
        q = s.up('one')
        s.announce(q, 'one', ['60.2.%d.0/24' % i for i in range(4)])
        x = q.wait_notification(4)
        c.ok('L11', 'four in one UPDATE: NOTIFICATION 6/1, none stays', x and x[:2] == (6, 1) and wait_for(lambda: not any(k.startswith('60.2.') for k in fib('bgn1')), 3)[0], x)
        q = s.up('none')
        s.announce(q, 'none', ['60.3.%d.0/24' % i for i in range(200)])
        v, t = wait_for(lambda: installed(s.d, '60.3.199.0/24'), 4)
        c.ok('L12', 'without maxPrefixes: no limit', v and q.alive(0.3) and o.alive(0))


def sc_allowas(c, kind):
    """allowas-in"""
    with Stand(kind, 'allowas', {'a0': {}, 'a1': dict(allowAsIn=1), 'a2': dict(allowAsIn=2), 'i1': dict(remoteAs=AS, allowAsIn=1), 'la': dict(localAs=65010)}) as s:
        n = s.nb
        peers = {k: s.up(k) for k in n}
        if not c.ok('L20', 'sessions Established', all(peers.values())):
            return
        own = {k: [AS] * k for k in range(4)}
        for i, k in enumerate(n):
            for times, path in own.items():
                p = ([] if n[k]['ibgp'] else [n[k]['asn']]) + [7] + path
                s.announce(peers[k], k, '61.%d.%d.0/24' % (i, times), path=p)
            s.announce(peers[k], k, '61.%d.9.0/24' % i)
        wait_for(lambda: all_installed(s.d, *[('61.%d.9.0/24' % i, None) for i in range(len(n))]), 5)
        time.sleep(0.7)
        taken = {k: [times for times in own if installed(s.d, '61.%d.%d.0/24' % (i, times))] for i, k in enumerate(n)}
        c.ok('L21', 'allowAsIn 0: our AS not once', taken['a0'] == [0], taken)
        c.ok('L22', 'allowAsIn 1: once, not twice', taken['a1'] == [0, 1], taken)
        c.ok('L23', 'allowAsIn 2: twice, not three times', taken['a2'] == [0, 1, 2], taken)
        c.ok('L24', 'allowAsIn 1 in iBGP: once, not twice', taken['i1'] == [0, 1], taken)
        c.ok('L25', 'a neighbour with a localAs: our AS is still a loop', taken['la'] == [0], taken)
        s.announce(peers['la'], 'la', ['61.4.20.0/24', '61.4.9.0/24'], path=[n['la']['asn'], 65010])
        v, t = wait_for(lambda: not installed(s.d, '61.4.9.0/24'), 3)
        c.ok('L28', 'and so is the localAs', v and not installed(s.d, '61.4.20.0/24'))
        s.announce(peers['a1'], 'a1', '61.1.9.0/24', path=[n['a1']['asn'], AS, AS])
        v, t = wait_for(lambda: not installed(s.d, '61.1.9.0/24'), 3)
        c.ok('L26', 'one more replaces, so removes, the path that was there', v and peers['a1'].alive(0.2))
        v = peers['a0'].wait_rib('61.1.1.0/24', 3)
        c.ok('L27', 'an accepted path with our AS goes to others with our AS in front of it', v and flat_path(v) == [AS, n['a1']['asn'], 7, AS], v and flat_path(v))


SCENARIOS = {'limits': sc_limits, 'allowas': sc_allowas}
