/** What a session answers with, and which event an error is. */
import { CeaseError, ErrorCode, OpenError } from './errors.ts'
import type { Action, Event, Notify } from './fsm.ts'
import type { Notification } from './message/notification.ts'

const NO_DATA = new Uint8Array(0)

/** By the code of the error that a message is answered with. */
export const ERROR_EVENT: Readonly<Record<number, Event>> = {
  [ErrorCode.messageHeader]: 'BgpHeaderError',
  [ErrorCode.openMessage]: 'BgpOpenMessageError',
  [ErrorCode.updateMessage]: 'UpdateMessageError',
  [ErrorCode.routeRefreshMessage]: 'RouteRefreshMessageError',
}

export function isNotify(action: Action): action is Notify {
  return typeof action === 'object' || action.startsWith('send NOTIFICATION')
}

/** `given` is what the table calls "of the error" and "of the stop", `type` that of the message which came. */
export function notificationFor(
  action: Notify,
  given: Notification | undefined,
  type: number | undefined,
): Notification {
  if (typeof action === 'object') {
    const [code, subcode] = action.notify
    return { code, subcode, data: 'data' in action && type !== undefined ? Uint8Array.of(type) : NO_DATA }
  }
  if (action !== 'send NOTIFICATION of the collision') return given!
  return { code: ErrorCode.cease, subcode: CeaseError.connectionCollisionResolution, data: NO_DATA }
}

export function isOfVersion({ code, subcode }: Notification): boolean {
  return code === ErrorCode.openMessage && subcode === OpenError.unsupportedVersionNumber
}
