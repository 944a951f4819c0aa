import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { put } from '../../contract/store/case.ts'
import { storeContract } from '../../contract/store.ts'
import { openDirectory } from '../../support/open-directory.ts'

storeContract('file', {
  setUp() {
    const folder = mkdtempSync(join(tmpdir(), 'overlab-store-'))
    const directory = join(folder, 'store')
    // The way of one leads over a link, which is cut.
    const way = join(folder, 'way')
    const point = (target: string) => {
      symlinkSync(target, `${way}.new`)
      renameSync(`${way}.new`, way)
    }
    mkdirSync(directory)
    point(directory)
    const other = openDirectory(directory)
    const one = openDirectory(way)
    writeFileSync(join(folder, 'file'), '')
    return {
      one,
      other,
      prefix: '/case/',
      cut() {
        point(join(folder, 'file'))
        one.reconnect()
      },
      mend: () => point(directory),
      async compact() {
        for (let at = 0; at < 3; at++) await put(other, 'elsewhere', 'x'.repeat(1_000_000))
      },
      loseData: () => rmSync(join(directory, 'log')),
      passTime: () => new Promise((resolve) => setTimeout(resolve, 10)),
      tearDown: () => rmSync(folder, { recursive: true, force: true }),
    }
  },
})
