import type { Case } from './case.ts'
export const routeCases: readonly Case[] = []
