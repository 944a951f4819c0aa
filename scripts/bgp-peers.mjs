/**
 * The BGP daemons of others that test/interop/bgp puts beside our speaker: BIRD 2.0, GoBGP 4 and FRR 8.4.
 *
 * test/interop/peers/bgp-peers downloads them with apt and unpacks them, each with the C library of its own Debian suite; nothing is
 * installed or started. It begins with the machine's Debian mirror each time, so it is asked only for what is not there.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runQuietly, say } from './say.mjs'

/** What the checks need, by the names of bgp-peers. */
const NAMES = ['bird', 'birdc', 'gobgpd4', 'gobgp4', 'zebra', 'bgpd', 'bfdd']

/** A mirror in trouble is asked so often, and its every file three times more. */
const ATTEMPTS = 4
const APT = 'Acquire::Retries "3";\nAcquire::http::Timeout "60";\nAcquire::https::Timeout "60";\n'

/** What $BGP_PEERS is to be for the checks. */
export function bgpPeersFolder(root) {
  return join(root, '.cache/bgp-peers')
}

/** Those of whom there is no wrapper yet: each is written once all that it starts has been unpacked. */
export function missingBgpPeers(root) {
  return NAMES.filter((name) => !existsSync(join(bgpPeersFolder(root), 'bin', name)))
}

/** Brings what is missing, or says why the tests cannot run. */
export function fetchBgpPeers(root) {
  const folder = bgpPeersFolder(root)
  mkdirSync(folder, { recursive: true })
  const settings = join(folder, 'apt.conf')
  writeFileSync(settings, APT)
  const env = { ...process.env, APT_CONFIG: settings }
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const missing = missingBgpPeers(root)
    if (missing.length === 0) return
    say(`unpacking BGP daemons below .cache for npm test: ${missing.join(' ')}`)
    runQuietly('python3', [join(root, 'test/interop/peers/bgp-peers'), folder, ...missing], { env })
  }
  const missing = missingBgpPeers(root)
  if (missing.length > 0)
    throw new Error(`Cannot bring ${missing.join(' ')}: a Debian source that holds them is needed`)
}
