/** Structures that the kernel shares with programs have the machine's byte order. */

/** Whether this machine keeps a number's lowest byte first; what DataView wants to know. */
export const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
