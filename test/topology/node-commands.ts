/** A node with sets and rules in each form that a topology file has for them, for the tests of both kernels. */

/** The comment's characters mean something to a shell. */
export const SETS_AND_RULES = `
name: sets-and-rules
topology:
  nodes:
    client: {}
    server:
      ipset:
        - create trusted hash:net comment initval 1
        - add trusted 10.0.0.0/30 comment "ours; $HOME & *"
        - add trusted 10.0.0.2 nomatch
      iptables: ["-A INPUT -p icmp -m set ! --match-set trusted src -j DROP"]
      nft: |
        # What may be asked of us.
        table inet guard {
          set ports { type inet_service; flags interval; elements = { 80, 8000-8100 }; }
          chain input {
            type filter hook input priority filter + 10; policy accept;
            meta l4proto tcp tcp dport != @ports counter drop comment "closed; $HOME"
          }
        }
    other:
      ipset: |
        create a hash:ip initval 1
        add a 10.0.0.9
      nft: ["add table ip t", "add chain ip t c { type filter hook output priority 0; }", "add rule ip t c ip daddr != 10.0.0.0/8 drop"]
  links:
    - endpoints: ["client:eth0", "server:eth0"]
      ipv4: [10.0.0.1/24, 10.0.0.3/24]
`

/** What shows that it is there: lines of commands by node. */
export const SHOWN: readonly (readonly [node: string, line: string])[] = [
  ['server', 'ipset -s save'],
  ['server', 'iptables -S'],
  ['server', 'nft list table inet guard'],
  ['other', 'ipset save'],
  ['other', 'nft list ruleset'],
]

/** What neither kernel builds, and what is said first. */
export const REFUSED: readonly (readonly [key: string, says: string])[] = [
  ['nft: ["add rule ip nowhere c accept"]', 'Cannot run "nft add rule ip nowhere c accept": '],
  ['nft: "table ip t {\\n chain c {\\n }\\n}\\nadd rule ip nowhere c accept\\n"', 'Cannot run "nft table ip t { …": '],
  ['ipset: [add nowhere 10.0.0.1]', 'Cannot run "ipset add nowhere 10.0.0.1": '],
]
