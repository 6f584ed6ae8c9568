/** A conformance store in memory. */
import type { ConformanceStore } from '../conformance.ts'
import { MemoryReader } from './memory-reader.ts'

export function memoryStore(): ConformanceStore {
  const reader = new MemoryReader()
  return { append: (series) => reader.append(series), reader: () => reader, close: () => {} }
}
