/** Frames to a router with policy rules, from each of its hosts. */
import fc from 'fast-check'
import { addressOf, broadcastOf, macOf, STRANGER } from './address-plan.ts'
import { type FrameStep, frames, type Ground } from './frame.ts'
import { FAR, HOST, ROUTER, ROUTER_NODE } from './policy-plan.ts'

const far = [addressOf(FAR[0], 7), addressOf(FAR[1], 7), addressOf(FAR[0], 8), addressOf(FAR[1], 200)] as const

function groundOf(ns: string, dev: string, network: number): Ground {
  const own = addressOf(network, HOST)
  return {
    ns,
    dev,
    from: [macOf(network, 0)],
    to: [macOf(ROUTER_NODE, network), 'ff:ff:ff:ff:ff:ff', STRANGER.mac],
    sources: [
      own,
      addressOf(network, 9),
      addressOf(1, HOST),
      addressOf(2, HOST),
      addressOf(4, HOST),
      addressOf(2, ROUTER),
    ],
    destinations:
      network === 1
        ? [
            far[0],
            far[1],
            far[2],
            far[3],
            addressOf(2, HOST),
            addressOf(3, HOST),
            addressOf(2, ROUTER),
            broadcastOf(2),
            STRANGER.address,
            '127.0.0.1',
          ]
        : [addressOf(1, HOST), far[0], addressOf(4, HOST), addressOf(1, ROUTER), STRANGER.address, broadcastOf(1)],
    mtus: [1500, 1400, 1000],
    ports: [4001, 4002, 4003],
    sound: 3,
  }
}

export const policyFrames: fc.Arbitrary<FrameStep> = fc.oneof(
  { withCrossShrink: true },
  { weight: 6, arbitrary: frames(groundOf('a', 'eth0', 1)) },
  { weight: 1, arbitrary: frames(groundOf('a', 'eth1', 4)) },
  { weight: 2, arbitrary: frames(groundOf('b', 'eth0', 2)) },
  { weight: 1, arbitrary: frames(groundOf('c', 'eth0', 3)) },
)
