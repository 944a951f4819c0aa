/**
 * FNV-1a, 64 bits, of the text's UTF-16 units, as 16 hex digits: for names, not for secrets.
 * http://www.isthe.com/chongo/tech/comp/fnv/
 *
 * In two halves: BigInt of QuickJS 2025-04-26 is wrong for numbers that fill 64 bits.
 */
export function fnv1a(text: string): string {
  let high = 0xcbf29ce4
  let low = 0x84222325
  for (let i = 0; i < text.length; i++) {
    low = (low ^ text.charCodeAt(i)) >>> 0
    // Times the prime, 2^40 + 0x1b3.
    const product = low * 0x1b3
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0
    low = product >>> 0
  }
  return [high, low].map((half) => half.toString(16).padStart(8, '0')).join('')
}
