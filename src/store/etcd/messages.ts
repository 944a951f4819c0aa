/**
 * The messages of etcd's v3 API that we use, with the fields that we use; numbers from api/etcdserverpb/rpc.proto,
 * api/mvccpb/kv.proto of etcd 3.4. Keys and values are text here.
 */
import {
  bool,
  bytes,
  type Decoded,
  int32,
  int64,
  type Message,
  message,
  optional,
  repeated,
  text,
  uint64,
} from './protobuf.ts'

export const ResponseHeader = message({ clusterId: [1, uint64], memberId: [2, uint64], revision: [3, int64] })

export const KeyValue = message({ key: [1, text], modRevision: [3, int64], value: [5, text], lease: [6, int64] })
export type KeyValue = Decoded<typeof KeyValue>

export const RangeRequest = message({ key: [1, text], rangeEnd: [2, bytes], revision: [4, int64] })
export const RangeResponse = message({ header: [1, ResponseHeader], kvs: [2, repeated(KeyValue)] })

export const PutRequest = message({ key: [1, text], value: [2, text], lease: [3, int64] })
export const DeleteRangeRequest = message({ key: [1, text] })

export const RequestOp = message({ put: [2, optional(PutRequest)], deleteRange: [3, optional(DeleteRangeRequest)] })

/** Compare.CompareResult. */
export const EQUAL = 0
/** Compare.CompareTarget. */
export const MOD = 2
export const Compare = message({ result: [1, int32], target: [2, int32], key: [3, text], modRevision: [6, int64] })

export const TxnRequest = message({ compare: [1, repeated(Compare)], success: [2, repeated(RequestOp)] })
export const TxnResponse = message({ header: [1, ResponseHeader], succeeded: [2, bool] })

export const WatchCreateRequest = message({
  key: [1, text],
  rangeEnd: [2, bytes],
  startRevision: [3, int64],
  progressNotify: [4, bool],
})
export const WatchRequest = message({ create: [1, optional(WatchCreateRequest)] })

/** Event.EventType. */
export const DELETE = 1
export const Event = message({ type: [1, int32], kv: [2, KeyValue] })
export type Event = Decoded<typeof Event>

export const WatchResponse = message({
  header: [1, ResponseHeader],
  created: [3, bool],
  canceled: [4, bool],
  compactRevision: [5, int64],
  cancelReason: [6, text],
  events: [11, repeated(Event)],
})
export type WatchResponse = Decoded<typeof WatchResponse>

export const LeaseGrantRequest = message({ ttl: [1, int64] })
export const LeaseGrantResponse = message({ id: [2, int64] })
export const LeaseRevokeRequest = message({ id: [1, int64] })
export const LeaseKeepAliveRequest = message({ id: [1, int64] })
export const LeaseKeepAliveResponse = message({ ttl: [3, int64] })
export const LeaseTimeToLiveRequest = message({ id: [1, int64] })
export const LeaseTimeToLiveResponse = message({ ttl: [3, int64], grantedTtl: [4, int64] })

export const AuthenticateRequest = message({ name: [1, text], password: [2, text] })
export const AuthenticateResponse = message({ token: [2, text] })

export const StatusResponse = message({ leader: [4, uint64] })
const Nothing = message({})

export interface Method<Q extends object, R extends object> {
  readonly path: string
  readonly request: Message<Q>
  readonly response: Message<R>
  /** Asking twice does no harm. */
  readonly isRepeatable: boolean
}

export const range = method('KV/Range', RangeRequest, RangeResponse, { isRepeatable: true })
export const txn = method('KV/Txn', TxnRequest, TxnResponse)
export const watch = method('Watch/Watch', WatchRequest, WatchResponse)
export const leaseGrant = method('Lease/LeaseGrant', LeaseGrantRequest, LeaseGrantResponse, { isRepeatable: true }) // one too many ends by itself
export const leaseRevoke = method('Lease/LeaseRevoke', LeaseRevokeRequest, Nothing, { isRepeatable: true })
export const leaseKeepAlive = method('Lease/LeaseKeepAlive', LeaseKeepAliveRequest, LeaseKeepAliveResponse, {
  isRepeatable: true,
})
export const leaseTimeToLive = method('Lease/LeaseTimeToLive', LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, {
  isRepeatable: true,
})
export const authenticate = method('Auth/Authenticate', AuthenticateRequest, AuthenticateResponse, {
  isRepeatable: true,
})
export const status = method('Maintenance/Status', Nothing, StatusResponse, { isRepeatable: true })

function method<Q extends object, R extends object>(
  name: string,
  request: Message<Q>,
  response: Message<R>,
  { isRepeatable } = { isRepeatable: false },
): Method<Q, R> {
  return { path: `/etcdserverpb.${name}`, request, response, isRepeatable }
}
