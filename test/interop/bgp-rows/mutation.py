"""Messages with some octets changed, from many neighbours at the same time: whatever becomes of their sessions, the speaker and
its other sessions live on.  The same messages each time: the numbers are drawn from a fixed seed."""
import random
from stand import *

NEIGHBOURS, PER_SESSION, SECONDS = 24, 400, 20


def originals(n):
    """UPDATEs of every kind, ROUTE-REFRESH, KEEPALIVE"""
    usual = path_attributes(n, med=1, communities=['1:2', '65535:65281'], extra=[attr(0xc0, 7, b'\0\0\0\1\1\1\1\1'), attr(0xc0, 16, b'\0\2\0\1\0\0\0\1'), attr(0xc0, 32, b'\0\0\0\1' * 3), attr(0xe0, 213, b'hello')])
    more = [attr(0x40, 6, b''), a_originator('1.1.1.1'), a_clusterlist(['2.2.2.2', '3.3.3.3']), a_as4path([1, 2]), attr(0xc0, 18, b'\0\0\0\1\1\1\1\1'), a_localpref(5)]
    six = [a_mp_reach(2, 'fd00:10::201', ['fd79::/64', 'fd79:1::/48'], ll='fe80::1')]
    return [update(usual, ['77.0.0.0/24', '77.1.0.0/16', '0.0.0.0/0']), update(usual + more, ['77.0.1.0/24']), update(six + usual), update([a_mp_unreach(2, ['fd79::/64'])]), update(withdrawn=['77.0.0.0/24']),
            update(usual, ['77.0.2.0/24'], withdrawn=['77.0.2.0/24']), update([a_mp_reach(1, n['addr'], ['77.0.3.0/24'])] + usual), EOR4, eor(2), route_refresh(1, 1), route_refresh(2, 1, 1), route_refresh(2, 1, 2), KA]


def mutated(draw, message):
    """the body changed in one to four places; its length is right, unless that was changed"""
    body = bytearray(message[19:])
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(body) + 1)
        kind = draw.randrange(4)
        if kind == 0 and body:
            body[at % len(body)] = draw.choice((0, 1, 2, 3, 4, 8, 14, 15, 16, 17, 32, 0x40, 0x80, 0xc0, 0xff, draw.randrange(256)))
        elif kind == 1:
            body[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 5)))
        elif kind == 2 and body:
            del body[at % len(body):at % len(body) + draw.randint(1, 5)]
        elif body:
            copy = body[at % len(body):at % len(body) + draw.randint(1, 12)]
            body[at:at] = copy
    return msg(message[18], bytes(body)[:4000])


def sc_mutation(c, kind):
    """messages with changed octets"""
    g = dict(gracefulRestart=dict(time=5, restarting=True), addPath='both', families=['ipv4', 'ipv6'], connectRetry=60)
    variants = [dict(), dict(remoteAs=AS), dict(families=['ipv4', 'ipv6']), g, dict(g, remoteAs=AS, rrClient=True), dict(maxPrefixes=5)]
    nbs = {'o': {}} | {'m%d' % i: dict(variants[i % len(variants)]) for i in range(NEIGHBOURS)}
    with Stand(kind, 'mutation', nbs, networks=['10.1.0.0/24', 'fd01::/64']) as s:
        o = s.up('o')
        s.announce(o, 'o', '78.0.0.0/24')
        end, sent, sessions = time.time() + SECONDS, [0], [0]

        def torment(k, seed):
            draw = random.Random(seed)
            n = s.nb[k]
            own = originals(n)
            while time.time() < end:
                caps = s.caps(k, *([cap_gr(time_s=5, fams=((1, 1, True), (2, 1, True))), cap_addpath(((1, 1, 3), (2, 1, 3)))] if n['spec']['addPath'] else []))
                p = session(PX, n['addr'], n['asn'], n['rid'], caps=caps, timeout=3)
                if not p:
                    continue
                sessions[0] += 1
                try:
                    for _ in range(PER_SESSION):
                        if p.closed or time.time() > end:
                            break
                        m = draw.choice(own)
                        p.send(mutated(draw, m) if draw.random() < 0.7 else m)
                        sent[0] += 1
                        time.sleep(0.001)
                except OSError:
                    pass
                p.close()
        threads = [threading.Thread(target=torment, args=('m%d' % i, i), daemon=True) for i in range(NEIGHBOURS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(SECONDS + 10)
        c.ok('Z01', 'the speaker is alive', s.d.proc.alive(), '%d messages in %d sessions; %s' % (sent[0], sessions[0], '' if s.d.proc.alive() else s.d.logtail()))
        c.ok('Z02', 'a bystander kept its session, and heard nothing damaged', o and o.alive(0.2) and o.wait_rib('10.1.0.0/24', 1))
        v, t = wait_for(lambda: not any(p.startswith('77.') for p in fib('bgn1')) and not any(p.startswith('77.') for p in o.rib), 20)
        c.ok('Z03', 'when all of them have gone nothing of theirs is left, in the kernel or at the bystander', v and installed(s.d, '78.0.0.0/24'), [p for p in fib('bgn1') if p.startswith('77.')] + [p for p in o.rib if p.startswith('77.')])
        p = s.up('m0', timeout=20)
        c.ok('Z04', 'and one of them that comes back, in its right mind, is welcome', p and p.wait_rib('78.0.0.0/24', 5))


SCENARIOS = {'mutation': sc_mutation}
