/** Names of chains and targets: assert_valid_chain_name() and xt_parse_target() of iptables/xshared.c. */
import { badParameter, type IptablesError } from './error.ts'
import { findTarget, isOtherTarget } from './extensions.ts'

/** XT_EXTENSION_MAXNAMELEN: a chain's or target's name is shorter. */
export const MAX_NAME = 29

export function checkTargetName(name: string): string {
  if (name.length < 1) throw badParameter('Invalid target name (too short)')
  if (name.length >= MAX_NAME) throw badParameter(`Invalid target name \`${name}' (${MAX_NAME - 1} chars max)`)
  if (/\s/.test(name)) throw badParameter(`Invalid target name \`${name}'`)
  return name
}

export function checkChainName(name: string): void {
  if (name.length >= MAX_NAME) throw tooLong(name)
  if (/^[-!]/.test(name)) throw badParameter(`chain name not allowed to start with \`${name[0]}'`)
  if (findTarget(name) || isOtherTarget(name) || ['ACCEPT', 'DROP', 'RETURN', 'QUEUE'].includes(name)) {
    throw badParameter('chain name may not clash with target name')
  }
  if (/\s/.test(name)) throw badParameter(`Invalid chain name \`${name}'`)
}

export function tooLong(name: string): IptablesError {
  return badParameter(`chain name \`${name}' too long (must be under ${MAX_NAME} chars)`)
}
