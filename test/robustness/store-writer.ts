/** Writes into a store until it is killed: three keys of one value at a time, so that it compacts often, and a lease now and then. Says when it begins. */
import { openDirectory } from '../support/open-directory.ts'

const [, , directory, name] = process.argv as [string, string, string, string]
const store = openDirectory(directory)

for (let count = 0; ; count++) {
  const value = `${name}-${count}-${'x'.repeat((count * 97) % 20_000)}`
  const lease = count % 10 === 0 ? await store.grant(86_400) : undefined
  await store.transact(
    [],
    [
      { put: '/left', value, lease },
      { put: '/right', value, lease },
      { put: `/${name}/${count % 50}`, value },
    ],
  )
  if (lease) await store.revoke(lease)
  if (count === 0) process.stdout.write('begun\n')
}
