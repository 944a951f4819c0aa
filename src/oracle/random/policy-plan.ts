/** Names and numbers of the random worlds with policy rules: policy.ts shows them. */

/** The hosts: the first in network 1, and so on. */
export const HOSTS = ['a', 'b', 'c'] as const

/** Host numbers in every network. */
export const ROUTER = 1
export const HOST = 2

/** Of macOf. */
export const ROUTER_NODE = 9

/** Networks behind b and behind c. */
export const FAR = [50, 51] as const

/** The router's device in this network. */
export const routerDevice = (network: number) => `r${'abcd'[network - 1]}`
