/** The embedded bus of a hub without a NATS server (see `server.ts`), and service discovery on any bus. */

export { type BusServer, createBusServer } from './server.ts'
export { announceService, type Service, type ServiceDescription, type ServiceEndpoint } from './services.ts'
export type { AuthResult, BusEvent, BusServerOptions, BusStats, ConnectClaim, ConnectionInfo } from './types.ts'
