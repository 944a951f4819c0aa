/** The model does what Linux does: the same cases, without root. */
import { MILLISECOND } from '../../src/model/clock.ts'
import { createModel } from '../../src/model/create.ts'
import { type Contract, kernelCases, kernelContract } from '../contract/kernel.ts'

const setUp: Contract['setUp'] = () => {
  const machine = createModel()
  const [node, container] = ['node', 'container'].map((name) => machine.enter(machine.namespaces.add(name))!)
  return {
    node: node!,
    container: container!,
    prefix: 'contract',
    passTime: () => machine.model.advance(20 * MILLISECOND),
    tearDown() {
      node!.close()
      container!.close()
    },
  }
}

const macvlan = 'macvlan is not modelled: EOPNOTSUPP'

kernelContract('model', {
  setUp,
  known: Object.fromEntries(
    kernelCases
      .filter(({ title }) => /"kind":"macvlan"|^a macvlan is born in another namespace/.test(title))
      .map(({ title }) => [title, macvlan]),
  ),
})
