/** Two empty namespaces of the kernel below us, for the contract's cases. */
import { liveLinux } from '../../src/linux/live.ts'
import type { Contract } from './kernel.ts'

let worlds = 0

export const linuxWorld: Contract['setUp'] = () => {
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
}
