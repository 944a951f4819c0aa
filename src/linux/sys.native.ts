/**
 * The system calls in a plugin executable. Its C file, cni-bin/native/calls.c, puts them there before the program begins;
 * the build resolves `#sys` to this file.
 */
import type { Sys } from './sys.ts'

export const sys: Sys = (globalThis as unknown as { readonly overlabSys: Sys }).overlabSys
