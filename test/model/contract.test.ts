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

/** What is not modelled is refused, by name. */
const known = [
  { titles: /"kind":"macvlan"|^a macvlan is born in another namespace/, reason: 'macvlan is not modelled' },
  { titles: /"kind":"vxlan".*"remote":"fd00::2"/, reason: 'VXLAN over IPv6 is not modelled' },
  {
    titles: /listed and deleted: .*IPv6 (?:by|with|default)|IPv6 route another/,
    reason: 'IPv6 routes are not modelled',
  },
  {
    titles: /^an IPv6 address (?:is tentative|that a neighbour)|link-local IPv6/,
    reason: 'IPv6 links are not modelled',
  },
  {
    titles:
      /^(?:an address brings the route|a gateway that no route|replace adds a route|list keeps to family, table|lookup finds|batch makes a thousand|ping answers who|pings at the same)/,
    reason: 'half of it is IPv6',
  },
]

kernelContract('model', {
  setUp,
  known: Object.fromEntries(
    known.flatMap(({ titles, reason }) =>
      kernelCases.filter(({ title }) => titles.test(title)).map(({ title }) => [title, reason]),
    ),
  ),
})
