/** A model of which every packet is followed: what it says of its decisions runs as well, and changes nothing. */
import { createModel, type ModelKernel } from '../../src/model/create.ts'

export function followedModel(...options: Parameters<typeof createModel>): ModelKernel {
  const kernel = createModel(...options)
  kernel.model.onJourney = () => {}
  return kernel
}
