/** Fifty at once to a network that nobody has used before: they race for the bridge, the chains, the index and addresses. */
import assert from 'node:assert/strict'
import { beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'
import {
  type Answer,
  type Attachment,
  callTogether,
  flannelNetwork,
  leftovers,
  type Network,
  network,
  reservations,
} from './attachment.ts'

const CONTAINERS = 50
const RUNS = 20

const namespaces = Array.from({ length: CONTAINERS }, (_, i) => `together-${i}`)

beforeAll(() => {
  for (const namespace of namespaces) run('ip', 'netns', 'add', namespace)
})

test.for(Array.from({ length: RUNS }, (_, i) => i + 1))('50 at once get 50 addresses, and leave nothing: run %i', (i) =>
  attachAndDetach(network(`many-${i}`, `10.${100 + i}.0.0/24`)))

test('50 at once by way of flannel, too', () => attachAndDetach(flannelNetwork('overlay', '10.100.0.0/24')))

async function attachAndDetach(pods: Network): Promise<void> {
  run('nft', 'flush', 'ruleset')
  const attachments = namespaces.map(
    (namespace): Attachment => ({ network: pods, containerId: `${namespace}-${pods.name}`, namespace }),
  )

  const added = await callTogether('ADD', attachments)
  assert.deepEqual(failures(added), [])
  const addresses = added.map(({ stdout }) => (JSON.parse(stdout) as { ips: { address: string }[] }).ips[0]!.address)
  assert.equal(new Set(addresses).size, CONTAINERS)
  assert.equal(reservations(pods).length, CONTAINERS)

  const deleted = await callTogether('DEL', attachments)
  assert.deepEqual(failures(deleted), [])
  assert.deepEqual(leftovers(pods, namespaces), [])
  run('ip', 'link', 'delete', pods.bridge)
}

function failures(answers: readonly Answer[]): string[] {
  return answers
    .filter(({ status }) => status !== 0)
    .map(({ status, stdout, stderr }) => `${status} ${stdout}${stderr}`)
}
