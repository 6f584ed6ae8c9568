/** For tests of the log and of what stands on it: a disk that forgets, a clock by hand, a log that is kept. */
export { type FaultPoint, MemoryDisk } from './memory-disk.ts'
export { manualClock, memoryLogger, seededRandom } from './world.ts'
