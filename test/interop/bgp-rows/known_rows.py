"""What the reference daemons do against the RFC, or lab.py's adapters do not tell them: (dut, check) -> why.  As known.py of ../bgp,
whose families hold here too.  Nothing is known for 'cmd'."""
KNOWN = {}


def k(dut, why, *ids):
    for i in ids:
        KNOWN[(dut, i)] = why


k('bird', 'GRACEFUL_SHUTDOWN takes a filter', 'D35')
k('bird', 'depends on the order of arrival without "deterministic med"', 'D30')
k('bird', 'the adapter does not tell it to prefer older paths', 'D41')
k('bird', 'a next hop behind a static route is not reachable, as the adapter sets it up', 'D27')
k('bird', 'the adapter makes it "direct", which means one hop', 'S21')
k('bird', 'the minimum TTL is set on the socket after accept(): an OPEN goes out', 'S22', 'S23', 'S33')
k('bird', 'the routes of other protocols are not in its table, as the adapter sets it up', 'S41')
k('bird', 'the local AS of the session alone is looked for', 'L25')
k('bird', 'a neighbour of a range is dialled once it has been there', 'Y09')
k('bird', 'the adapter does not tell it where to listen', 'Y28', 'Y29', 'Y30')
k('bird', 'a connection without an OPEN is kept until its timer ends', 'C09')
k('bird', 'attributes of more than 2048 octets are not sent', 'O15')
k('bird', '2.0.12 has no "require"; 2.20 sends 2/7 without data', 'O30', 'O31', 'O32', 'O33')
k('bird', '2.0.12 cannot leave enhanced route refresh out', 'O35', 'O36', 'Q15')
k('bird', 'a new connect retry time begins a new session', 'Q29')
k('bird', 'AS 0 in a path is accepted', 'V32', 'V90')
k('bird', 'AGGREGATOR with AS 0 is passed on', 'V82')
k('bird', 'RFC 8538 is not done', 'G11', 'G13')
k('bird', 'IPv6 blackholes are deleted and added again when it restarts', 'H10', 'H14')
k('bird', 'waits 240 s for neighbours that do not come', 'H21', 'H22', 'H23')
k('bird', 'a session that is down is sent its configured idle interval, which the adapter sets to 300 ms', 'B27')
k('bird', 'RFC 9384 is not done: 6/0', 'B29')
k('bird', 'RFC 5882 4.2: a session ends when BFD is taken down by the administrator', 'B31', 'B32')
