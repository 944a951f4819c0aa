"""Faults: half-open connections, slow readers, hanging processes, cut links."""
from stand import *


def many(n, count, first=76):
    """UPDATEs of 200 prefixes"""
    at = b''.join(path_attributes(n))
    for i in range(0, count, 200):
        yield update(at, ['%d.%d.%d.0/24' % (first + (j >> 16), j >> 8 & 255, j & 255) for j in range(i, min(i + 200, count))])


def sc_faults(c, kind):
    """half open, slow, hanging"""
    nbs = {'h': dict(holdTime=6), 'o': {}, 'slow': dict(holdTime=90), 'k3': dict(holdTime=3), 'src': {}, 'late': {}, 'loris': {}, 'half': {}}
    with Stand(kind, 'faults', nbs, start=False) as s:
        s.d.spec['kernel']['install'] = True
        s.d.start()
        n = s.nb
        o = s.up('o')
        # half-open: the peer has forgotten the connection, the DUT has not
        h = s.up('h', hold=6)
        if not c.ok('F00', 'sessions Established', o and h):
            return
        s.announce(h, 'h', '75.9.0.0/24')
        wait_for(lambda: installed(s.d, '75.9.0.0/24'), 4)
        h.ka_stop.set()
        fresh = s.up('h', hold=6, timeout=20)
        c.ok('F01', 'half open: the peer has restarted without a word and dials again: Established within the hold time and some seconds', fresh and fresh.wait_rib('10.1.0.0/24', 5), fresh and '%.1f s' % (fresh.established - h.established))
        v, t = wait_for(lambda: not installed(s.d, '75.9.0.0/24'), 10)
        c.ok('F02', 'and what it had announced before is gone', v)
        # nobody says anything
        x = dial(PX, n['loris']['addr'], DUT, timeout=5)
        y = dial(PX, n['half']['addr'], DUT, timeout=5)
        if y:
            y.send(open_msg(n['half']['asn'], 90, n['half']['rid'], opt_caps(*s.caps('half')))[:20])
        # a slow reader, while others get everything
        slow = dial(PX, n['slow']['addr'], DUT, timeout=5)
        slow.handshake(n['slow']['asn'], n['slow']['rid'], 90, caps=s.caps('slow'))
        k3 = s.up('k3', hold=3)
        src = s.up('src')
        holdup = threading.Event()
        rx = slow._rx
        slow._rx = lambda size: (holdup.wait(), rx(size))[1]
        slow.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        count = 60000
        t0 = time.time()
        for m in many(n['src'], count):
            src.send(m)
        last = '76.%d.%d.0/24' % ((count - 1) >> 8 & 255, (count - 1) & 255)
        v = o.wait_rib(last, 60)
        c.ok('F03', '%d routes through the DUT while one neighbour reads nothing: the others have them' % count, v and len(o.rib) >= count, '%.1f s, %d' % (time.time() - t0, len(o.rib)))
        v, t = wait_for(lambda: len(fib('bgn1')) >= count, 60, 1)
        c.ok('F05', 'and the kernel has them', v, '%.1f s' % t)
        # An UPDATE is as good as a KEEPALIVE: RFC 4271 8.2.2, event 27.
        ts = [t for t, _, _ in k3.log] if k3 else []
        gap = max([b - a for a, b in zip(ts, ts[1:])] or [99])
        c.ok('F04', 'a neighbour with hold time 3 stayed Established meanwhile, and heard something at least every 2 s', k3 and k3.alive(0.5) and gap <= 2, 'largest gap %.2f s' % gap)
        time.sleep(1)
        src.send(b''.join(update(withdrawn=['76.%d.%d.0/24' % (j >> 8, j & 255) for j in range(i, i + 200)]) for i in range(0, 40000, 200)))
        v = o.wait_rib('76.0.0.0/24', 30, False)
        holdup.set()
        if slow.alive(0.1):
            v, t = wait_for(lambda: last in slow.rib and '76.0.0.0/24' not in slow.rib and len(slow.rib) <= count - 40000 + 10, 60, 0.2)
            c.ok('F06', 'the slow one reads again: in the end it has what the others have', v, len(slow.rib))
        else:
            c.ok('F06', 'the slow one was ended (RFC 9687) and may come again', slow.notif() is None or slow.notif()[:2] == (8, 0), slow.notif())
        late = s.up('late')
        v, t = wait_for(lambda: late and len(late.rib) == len(o.rib), 30, 0.2)
        c.ok('F07', 'a neighbour that comes later is told the same', v, late and (len(late.rib), len(o.rib)))
        c.ok('F08', 'connections that say nothing, or half an OPEN, harm nobody', o.alive(0.1) and k3.alive(0.1) and (not x or not x.notif() or x.notif()[0] in (4, 6)))
        src.abort()
        v, t = wait_for(lambda: last not in o.rib and not any(p.startswith('76.') for p in o.rib), 30, 0.2)
        c.ok('F09', 'the source is reset: everything is withdrawn from the others', v, '%.1f s' % t)
        v, t = wait_for(lambda: not any(p.startswith('76.') for p in fib('bgn1')), 30, 0.5)
        c.ok('F10', 'and leaves the kernel', v and k3.alive(0.1), '%.1f s' % t)


def sc_hang(c, kind):
    """SIGSTOP, SIGKILL, cut links, with BIRD"""
    L = Lab('hang')
    try:
        for i in (1, 2, 3):
            L.node('bgn%d' % i, ['10.0.0.%d/24' % i])
        nb = lambda i, asn, me: nbr(address='10.0.0.%d' % i, remoteAs=asn, localAddress='10.0.0.%d' % me, holdTime=6, connectRetry=1)
        d = make(kind, L, node_spec('bgn1', DUT, AS, [nb(2, 65002, 1), nb(3, 65003, 1)], ['10.1.0.0/24']))
        b = make('bird', L, node_spec('bgn2', '10.0.0.2', 65002, [nb(1, AS, 2)], ['10.2.0.0/24', '10.9.0.0/24']))
        o = make('bird', L, node_spec('bgn3', '10.0.0.3', 65003, [nb(1, AS, 3)], ['10.3.0.0/24', '10.9.0.0/24']))
        for x in (b, o, d):
            x.start()
        there = lambda: all_installed(d, ('10.2.0.0/24', '10.0.0.2'), ('10.3.0.0/24', '10.0.0.3'), ('10.9.0.0/24', ['10.0.0.2', '10.0.0.3'])) and has_route('bgn2', '10.3.0.0/24') and has_route('bgn3', '10.1.0.0/24')
        v, t = wait_for(there, 25)
        if not c.ok('F20', 'sessions Established, routes everywhere', v):
            return
        d.proc.pause()
        v, t = wait_for(lambda: not has_route('bgn2', '10.1.0.0/24'), 12)
        d.proc.cont()
        v2, t2 = wait_for(there, 40)
        c.ok('F21', 'the DUT hangs for longer than the hold time, and goes on: all is back within 40 s', v and v2, 'lost after %.1f s, back after %.1f s' % (t, t2))
        b.proc.pause()
        v, t = wait_for(lambda: not installed(d, '10.2.0.0/24') and installed(d, '10.9.0.0/24', '10.0.0.3'), 12)
        c.ok('F22', 'BIRD hangs: after the hold time its routes leave, a common one shrinks to the other next hop', v and 2 <= t <= 9, '%.1f s' % t)
        b.proc.cont()
        v, t = wait_for(there, 40)
        c.ok('F23', 'and goes on: all is back', v, '%.1f s' % t)
        for _ in range(3):
            b.stop(hard=True)
            v, t = wait_for(lambda: not installed(d, '10.2.0.0/24'), 4)
            b.start()
            v2, t2 = wait_for(there, 25)
            if not (v and v2):
                break
        c.ok('F24', 'BIRD is killed and started three times: lost at once, back each time', v and v2, '%.1f s, %.1f s' % (t, t2))
        L.port('bgn2', False)
        v, t = wait_for(lambda: not installed(d, '10.2.0.0/24'), 12)
        L.port('bgn2', True)
        v2, t2 = wait_for(there, 40)
        c.ok('F25', 'the link of BIRD is cut, and mended', v and v2, '%.1f s, %.1f s' % (t, t2))
        L.port('bgn1', False)
        time.sleep(2)
        L.port('bgn1', True)
        time.sleep(0.5)
        v, t = wait_for(there, 40)
        c.ok('F26', "the DUT's own link is cut for 2 s, less than the hold time: all is there", v and holds(there, 8), '%.1f s' % t)
        ip('addr del 10.0.0.1/24 dev bge0', 'bgn1')
        time.sleep(1)
        ip('addr add 10.0.0.1/24 dev bge0', 'bgn1')
        v, t = wait_for(there, 40)
        c.ok('F27', 'its address is taken away and given back: all is there within 40 s', v, '%.1f s' % t)
    finally:
        L.close()


SCENARIOS = {'faults': sc_faults, 'hang': sc_hang}
