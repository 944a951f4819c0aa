/** The model does what Linux does: the same cases, without root. */
import { MILLISECOND } from '../../src/model/clock.ts'
import { type Contract, kernelCases, kernelContract } from '../contract/kernel.ts'
import { followedModel } from '../support/followed-model.ts'

const setUp: Contract['setUp'] = () => {
  const machine = followedModel()
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

/** What is not modelled is refused, by name. */
const known = [
  { titles: /"kind":"macvlan"|^a macvlan is born in another namespace/, reason: 'macvlan is not modelled' },
  { titles: /"kind":"vxlan".*"remote":"fd00::2"/, reason: 'VXLAN over IPv6 is not modelled' },
]

kernelContract('model', {
  setUp,
  known: Object.fromEntries(
    known.flatMap(({ titles, reason }) =>
      kernelCases.filter(({ title }) => titles.test(title)).map(({ title }) => [title, reason]),
    ),
  ),
})
