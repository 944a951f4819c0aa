import type { Case } from './case.ts'
export const bridgeVlanCases: readonly Case[] = []
