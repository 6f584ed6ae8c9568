/** The door of the remote-write thread. */
export type { FromRemoteWrite, RemoteWriteWorkerData, ToRemoteWrite } from './messages.ts'
export { RemoteWriteThread, type RemoteWriteThreadOptions } from './thread.ts'
