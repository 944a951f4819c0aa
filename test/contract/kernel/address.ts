import type { Case } from './case.ts'
export const addressCases: readonly Case[] = []
