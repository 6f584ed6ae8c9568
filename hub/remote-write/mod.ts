/** Remote write, the sending side: the door of the main thread; what the thread runs has thread_mod.ts. */
export { RemoteWriter, type RemoteWriterOptions } from './remote-writer.ts'
