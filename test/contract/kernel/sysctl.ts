import type { Case } from './case.ts'
export const sysctlCases: readonly Case[] = []
