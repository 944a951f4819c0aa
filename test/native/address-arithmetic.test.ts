import assert from 'node:assert/strict'
import { test } from 'vitest'
import { buildPrograms } from './executables.ts'

test('the executable computes with addresses of both families as with their bytes', async () => {
  const executables = await buildPrograms(['address-arithmetic'])
  try {
    assert.equal(executables.run('address-arithmetic').stdout, '5000 rounds\n')
  } finally {
    executables.remove()
  }
})
