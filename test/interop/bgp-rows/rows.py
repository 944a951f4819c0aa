#!/usr/bin/env python3
"""Rows 25-33, 35 and 38 of the acceptance table of a BGP speaker, its options one by one, the malformed UPDATEs that
../bgp/interop.py has not, and faults.  Usage, output and JSON are interop.py's:

  ./rows.py --dut cmd --dut-cmd '/abs/test/interop/speaker {conf} {dir} {gr}' [--dut-ctl '…'] [--scenario a,b] [--only RE] [--json FILE] [-v]
  ./rows.py --dut bird | frr | frr10 | gobgp4       the tests themselves, on daemons that are known to be right; what they do
                                                    otherwise is in known_rows.py
  ./rows.py --list
"""
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stand                    # finds ../bgp
import interop
import known
import known_rows
import adding_paths, bfd, collision, decision, dynamic, faults, helper, limits, long_lived, messages, mutation, next_hops, options, reload, restart, security, takeover, updates

interop.SCEN.clear()
for module in (decision, takeover, security, limits, dynamic, collision, adding_paths, next_hops, options, messages, reload, updates, helper, restart, long_lived, bfd, faults, mutation):
    interop.SCEN.update(module.SCENARIOS)
known.KNOWN.clear()
known.KNOWN.update(known_rows.KNOWN)

if __name__ == '__main__':
    sys.exit(interop.main())
