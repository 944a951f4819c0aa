/** Linux keeps the contract of test/contract/kernel.ts. */
import { liveLinux } from '../../src/linux/live.ts'
import { kernelContract } from '../contract/kernel.ts'

let worlds = 0

kernelContract('linux', {
  setUp() {
    const prefix = `contract-${process.pid}-${++worlds}`
    const linux = liveLinux()
    const names = [`${prefix}-node`, `${prefix}-container`] as const
    const [node, container] = names.map((name) => linux.enter(linux.namespaces.add(name))!)
    return {
      node: node!,
      container: container!,
      prefix,
      tearDown() {
        node!.close()
        container!.close()
        for (const name of names) linux.namespaces.delete(name)
        linux.close()
      },
    }
  },
})
