/** The door of the checkpoint thread. */
export { createCheckpointThread, type FromCheckpoint, type ToCheckpoint } from './checkpoint-thread.ts'
export { CheckpointCopier, type Checkpointer, type CheckpointRecord, type PageCopies } from './checkpointer.ts'
