"""Long-lived graceful restart, RFC 9494: stale routes after the restart time, as the last choice."""
from stand import *

LLGR_STALE, NO_LLGR = '65535:6', '65535:7'


def caps(time_s=1, stale=600, restart=False, forwarding=True):
    return [cap_gr(restart, time_s, ((1, 1, forwarding),)), cap_llgr(((1, 1, forwarding, stale),))]


def sc_longlived(c, kind):
    """long-lived graceful restart of a neighbour"""
    ll = dict(gracefulRestart=dict(time=30, restarting=True), longLivedGR=dict(time=600))
    nbs = {'a': ll, 'b': ll, 'other': {}, 'ilow': {}, 'ii': dict(remoteAs=AS, **ll), 'iplain': dict(remoteAs=AS), 'obs': ll, 'plain': {}}
    with Stand(kind, 'longlived', nbs) as s:
        n = s.nb
        a, b = s.up('a', caps()), s.up('b', caps(stale=4))
        other, plain = s.up('other'), s.up('plain')
        ii, obs = s.up('ii', caps(time_s=30)), s.up('obs', caps(time_s=30))
        if not c.ok('J00', 'sessions Established', all((a, b, other, plain, ii, obs))):
            return
        offered = capset(a.remote_open).get(71, b'')
        c.ok('J01', 'capability 71: IPv4 unicast, 600 s', offered[:3] == b'\0\1\1' and int.from_bytes(offered[4:7], 'big') == 600, offered.hex())
        s.announce(a, 'a', ['74.0.0.0/24', '74.1.0.0/24'])
        s.announce(a, 'a', '74.2.0.0/24', communities=[NO_LLGR])
        s.announce(b, 'b', '74.3.0.0/24')
        s.announce(other, 'other', '74.1.0.0/24', path=[n['other']['asn'], 1, 2, 3], origin=2)
        for p in (a, b, ii, obs):
            p.send(EOR4)
        wait_for(lambda: all_installed(s.d, ('74.0.0.0/24', n['a']['addr']), ('74.1.0.0/24', n['a']['addr']), ('74.2.0.0/24', None), ('74.3.0.0/24', None)), 5)
        for p in (obs, plain, ii):
            p.wait_rib('74.0.0.0/24', 4)
        m = Monitor(s.L, 'bgn1')
        a.close()
        b.close()
        t0 = time.time()
        time.sleep(2.2)                 # the restart time is 1 s
        x = m.deleted('74.0.0.0/24')
        c.ok('J02', 'the restart time is over: the route stays in the kernel', installed(s.d, '74.0.0.0/24', n['a']['addr']) and not x, x)
        v, t = wait_for(lambda: installed(s.d, '74.1.0.0/24', n['other']['addr']), 3)
        c.ok('J03', 'a route that is not stale wins though it is worse in every other step', v and not m.deleted('74.1.0.0/24'), (has_route('bgn1', '74.1.0.0/24') or {}).get('via'))
        v, t = wait_for(lambda: not installed(s.d, '74.2.0.0/24'), 3)
        c.ok('J04', 'a route with NO_LLGR leaves at the end of the restart time', v)
        v, t = wait_for(lambda: LLGR_STALE in obs.rib['74.0.0.0/24']['communities'], 3)
        c.ok('J05', 'who has the capability is told it, with the community LLGR_STALE', v, obs.rib.get('74.0.0.0/24', {}).get('communities'))
        v, t = wait_for(lambda: '74.0.0.0/24' not in plain.rib, 3)
        c.ok('J06', 'who has not (eBGP): withdrawn', v)
        v, t = wait_for(lambda: not installed(s.d, '74.3.0.0/24'), 6)
        c.ok('J07', 'its long-lived stale time of 4 s is over, after the restart time: it leaves', v and 3.2 <= time.time() - t0 <= 8, '%.1f s' % (time.time() - t0))
        a = s.up('a', caps(restart=True), timeout=15)
        s.announce(a, 'a', ['74.0.0.0/24', '74.1.0.0/24'])
        a.send(EOR4)
        v, t = wait_for(lambda: installed(s.d, '74.1.0.0/24', n['a']['addr']) and LLGR_STALE not in obs.rib['74.0.0.0/24']['communities'], 4)
        x = m.deleted('74.0.0.0/24')
        c.ok('J08', 'it is back and announces them: used as before, never deleted', v and not x and plain.wait_rib('74.0.0.0/24', 3), x)
        # stale at somebody else: LLGR_STALE comes in by a community
        s.announce(obs, 'obs', '74.5.0.0/24', communities=[LLGR_STALE])
        s.announce(other, 'other', '74.5.0.0/24', path=[n['other']['asn'], 1, 2, 3])
        v, t = wait_for(lambda: installed(s.d, '74.5.0.0/24', n['other']['addr']), 3)
        c.ok('J09', 'a route that comes with LLGR_STALE is the last choice too', v and holds(lambda: installed(s.d, '74.5.0.0/24', n['other']['addr']), 0.5))
        a.close()
        time.sleep(2)
        v = installed(s.d, '74.0.0.0/24')
        a = s.up('a', caps(restart=True, forwarding=False), timeout=15)
        v2, t = wait_for(lambda: not installed(s.d, '74.0.0.0/24'), 3)
        c.ok('J10', 'back with Forwarding clear in both capabilities: stale routes leave at once', v and a and v2)


SCENARIOS = {'longlived': sc_longlived}
