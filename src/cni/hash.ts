/**
 * FNV-1a, 64 bits, of the text's UTF-16 units, as 16 hex digits: for names, not for secrets.
 * http://www.isthe.com/chongo/tech/comp/fnv/
 */
export function fnv1a(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (let i = 0; i < text.length; i++) {
    // Not BigInt.asUintN(64, …): that of QuickJS 2025-04-26 answers negative numbers.
    hash = ((hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn
  }
  return hash.toString(16).padStart(16, '0')
}
