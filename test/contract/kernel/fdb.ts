import type { Case } from './case.ts'
export const fdbCases: readonly Case[] = []
