/** A node without the overlay: what flannel leaves behind, and we when we are told to go. */
import { joinStates, type State } from '../reconcile/state.ts'
import { backendOf } from './backend/backend.ts'
import type { NetworkConfig } from './config.ts'
import { noBlackholeRoutes, noTrafficRules } from './rules/rules.ts'
import type { Uplink } from './uplink.ts'

/** None of the things that a plan of this network owns: devices with all that is on them, routes, rules. */
export function noOverlay(uplink: Uplink, config: NetworkConfig): State {
  const owned = backendOf(config).owned(uplink, config)
  return joinStates({ owned }, noTrafficRules, noBlackholeRoutes(config))
}
