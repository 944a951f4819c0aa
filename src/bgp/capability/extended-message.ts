/** Messages of up to 65,535 octets: RFC 8654 §3. */
import { flag } from './capability.ts'

export const extendedMessage = flag(6)
