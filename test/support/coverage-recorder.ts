/** Before each test file whose run is measured: what of the model runs in it is written down. */
import { join, relative } from 'node:path'
import { afterAll, expect } from 'vitest'
import { Coverage } from '../../src/oracle/fidelity/coverage.ts'
import { RECORDS, recordName } from '../../src/oracle/fidelity/tests.ts'

const root = join(import.meta.dirname, '../..')
const folder = process.env[RECORDS]
if (folder === undefined) throw new Error(`Cannot record what runs: ${RECORDS} names no folder`)

const coverage = await Coverage.start(root)

afterAll(async () => {
  await coverage.write(join(folder, recordName(relative(root, expect.getState().testPath!))))
})
