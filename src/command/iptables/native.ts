/** Numbers as registers hold them where the machine's byte order counts (marks): little-endian, as on all that this runs on. */

export function nativeNumber(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24)
}

export function readNativeNumber(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0)
}
