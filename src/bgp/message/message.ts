/** Any message, by its type. */
import { BgpError, ErrorCode, HeaderError } from '../errors.ts'
import { MessageType, messageType } from './header.ts'
import { decodeNotification, type Notification } from './notification.ts'
import { decodeOpen, type Open } from './open.ts'
import { decodeRouteRefresh, type RouteRefresh } from './route-refresh.ts'
import { decodeUpdate, type Receiving, type Update } from './update.ts'

export type Message =
  | { readonly type: 'OPEN'; readonly open: Open }
  | { readonly type: 'UPDATE'; readonly update: Update }
  | { readonly type: 'NOTIFICATION'; readonly notification: Notification }
  | { readonly type: 'KEEPALIVE' }
  | { readonly type: 'ROUTE-REFRESH'; readonly refresh: RouteRefresh }

/** `message` has passed checkHeader, as all that a MessageReader gives. Throws BgpError. */
export function decodeMessage(message: Uint8Array, session: Receiving): Message {
  const type = messageType(message)
  switch (type) {
    case MessageType.open:
      return { type: 'OPEN', open: decodeOpen(message) }
    case MessageType.update:
      return { type: 'UPDATE', update: decodeUpdate(message, session) }
    case MessageType.notification:
      return { type: 'NOTIFICATION', notification: decodeNotification(message) }
    case MessageType.keepalive:
      return { type: 'KEEPALIVE' }
    case MessageType.routeRefresh:
    case MessageType.ciscoRouteRefresh:
      return { type: 'ROUTE-REFRESH', refresh: decodeRouteRefresh(message) }
    default:
      throw new BgpError(ErrorCode.messageHeader, HeaderError.badMessageType, `type ${type}`, Uint8Array.of(type))
  }
}
