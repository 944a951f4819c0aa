/** IPv4 addresses that the model keeps as numbers, as text: for notes and the control plane, never on a packet's way. */

export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}
