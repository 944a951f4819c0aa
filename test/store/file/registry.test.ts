/** Leases of an overlay in a directory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { registryOnStore } from '../../overlay/registry-on-store.ts'
import { openDirectory } from '../../support/open-directory.ts'

const directory = mkdtempSync(join(tmpdir(), 'overlab-registry-'))
afterAll(() => rmSync(directory, { recursive: true }))

registryOnStore('a directory', () => openDirectory(directory))
