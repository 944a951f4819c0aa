"""What the reference daemons do against the RFC, or cannot be told by lab.py's adapters: (dut, check) -> why.  As known.py of
../bgp, whose family names hold here too.  Nothing is known for 'cmd'."""
KNOWN = {}


def k(dut, why, *ids):
    for i in ids:
        KNOWN[(dut, i)] = why
