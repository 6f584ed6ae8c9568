/** From the ring to the hubs: every committed batch, until a hub has it on disk. */
export { type PubAck, parsePubAck } from './puback.ts'
export { Uplink, type UplinkOptions, type UplinkStats } from './uplink.ts'
export type { Lane } from './window.ts'
