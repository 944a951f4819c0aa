/** Frames on the wire below: VXLAN from another node, as it should be and not. */
import fc from 'fast-check'
import { fromHex } from '../../trace/hex.ts'
import { encodeIpv4, IpProtocol } from '../../wire/ipv4.ts'
import { encodeUdp } from '../../wire/udp.ts'
import { encodeVxlan } from '../../wire/vxlan.ts'
import { addressOf, macOf, STRANGER } from './address-plan.ts'
import { damage, type FrameStep, frameStep, frames, type Ground, mostly, plainHeader } from './frame.ts'
import { POD, PORT, podMac, ROUTER, TUNNEL, underlayOf, VNI, vtepMac } from './vxlan-plan.ts'

/** From p2, or from n2's own device, to n1 and to what is behind it. */
const inner: Ground = {
  ns: 'n2',
  dev: 'eth0',
  from: [vtepMac(2), podMac(2), vtepMac(1), podMac(1)],
  to: [vtepMac(1), podMac(1), macOf(1, 9), 'ff:ff:ff:ff:ff:ff', STRANGER.mac],
  sources: [addressOf(2, POD + 2), addressOf(1, POD + 2), addressOf(TUNNEL, 2)],
  destinations: [
    addressOf(1, POD + 1),
    addressOf(TUNNEL, 1),
    addressOf(1, ROUTER),
    addressOf(2, POD + 2),
    addressOf(TUNNEL, 3),
    STRANGER.address,
  ],
  mtus: [1350, 1400],
  sound: 3,
}

const UDP_CHECKSUM = 6

export const outerFrames: fc.Arbitrary<FrameStep> = fc
  .record({
    frame: frames(inner),
    vni: mostly([VNI, VNI + 1, 0], 18),
    /** Flags and reserved bytes: RFC 7348 §5. */
    flags: mostly([0x08, 0x00, 0x88, 0xff], 9),
    port: mostly([PORT, 4789], 14),
    source: mostly([underlayOf(2), underlayOf(3), STRANGER.address, underlayOf(1)], 5),
    ttl: mostly([64, 1, 0], 9),
    tos: mostly([0, 1, 2, 3], 3),
    checksum: mostly<'sound' | 'none' | 'wrong'>(['sound', 'none', 'wrong'], 5),
    /** Bytes of the inner frame: all, or a few. */
    length: mostly([0xffff, 13, 0, 20], 12),
    damaged: damage,
  })
  .map(({ frame, vni, flags, port, source, ttl, tos, checksum, length, damaged }) => {
    const endpoints = { source, destination: underlayOf(1) }
    const tunnelled = encodeVxlan({ vni, frame: fromHex(frame.hex).subarray(0, length) })
    tunnelled[0] = flags
    const payload = encodeUdp({ sourcePort: 50_000, destinationPort: port, payload: tunnelled }, endpoints)
    if (checksum === 'none') payload.fill(0, UDP_CHECKSUM, UDP_CHECKSUM + 2)
    if (checksum === 'wrong') payload[UDP_CHECKSUM]! ^= 0x55
    const packet = encodeIpv4({ ...plainHeader(endpoints), ttl, tos, protocol: IpProtocol.udp, payload })
    return frameStep(inner, { source: macOf(2, 1), destination: macOf(1, 1) }, damaged(packet))
  })
