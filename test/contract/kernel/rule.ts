import type { Case } from './case.ts'
export const ruleCases: readonly Case[] = []
