/**
 * Asks a speaker by its control socket and answers in the suite's JSON. It loads nothing of overlab: it is asked twenty times a
 * second while a speaker is measured.
 */
import { createConnection } from 'node:net'
import { join } from 'node:path'

const [directory, verb, argument] = process.argv.slice(2)

/** What the speaker is asked, and what the suite is told. */
const VERBS = {
  neighbors: [{}, (rows) => ({ neighbors: rows.map(neighbor) })],
  routes: [{ family: argument }, (rows) => ({ routes: rows.map(route) })],
  count: [{ family: argument }, (_, done) => done],
  refresh: [{ address: argument }, (_, done) => done],
  disable: [{ address: argument }, (_, done) => done],
  enable: [{ address: argument }, (_, done) => done],
}

function neighbor({ address, state, families }) {
  return { address, state, received: Object.values(families).reduce((sum, { accepted }) => sum + accepted, 0) }
}

function route(row) {
  const { prefix, nextHop = null, asPath, best, communities, originatorId = null, clusterList, localPref, med } = row
  return {
    prefix,
    nexthop: nextHop,
    asPath: asPath.flat(),
    best,
    communities,
    originatorId,
    clusterList,
    localPref: localPref ?? null,
    med: med ?? null,
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}

const asked = VERBS[verb]
if (!asked) {
  fail(`"${verb}" is none of ${Object.keys(VERBS).join(', ')}`)
} else {
  const [given, tell] = asked
  const socket = createConnection(join(directory, 'control.sock'))
  let text = ''
  socket.setEncoding('utf8')
  socket.on('error', ({ message }) => fail(message))
  socket.on('data', (piece) => {
    text += piece
  })
  socket.on('end', () => {
    const lines = text.split('\n').filter(Boolean).map(JSON.parse)
    const { done, error } = lines.at(-1)
    if (error) fail(error.message)
    else process.stdout.write(`${JSON.stringify(tell(lines.flatMap(({ rows = [] }) => rows), done))}\n`)
  })
  socket.end(`${JSON.stringify({ command: verb, ...given })}\n`)
}
