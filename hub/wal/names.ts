/** File names in the `wal` directory. Numbers are padded so that names sort as numbers do. */
const SEGMENT = /^(\d{8})\.wal$/
const CHECKPOINT = /^checkpoint-(\d{8})\.wal$/

export const QUARANTINE = 'quarantine'
export const segmentName = (index: number): string => `${String(index).padStart(8, '0')}.wal`
/** A checkpoint holds all that segments before `index` said. */
export const checkpointName = (index: number): string => `checkpoint-${String(index).padStart(8, '0')}.wal`
export const TEMPORARY_SUFFIX = '.tmp'

export type Listing = { readonly segments: number[]; readonly checkpoints: number[]; readonly temporary: string[] }

export function listFiles(names: readonly string[]): Listing {
  const segments: number[] = []
  const checkpoints: number[] = []
  const temporary: string[] = []
  for (const name of names) {
    const segment = SEGMENT.exec(name)
    const checkpoint = CHECKPOINT.exec(name)
    if (segment) segments.push(Number(segment[1]))
    else if (checkpoint) checkpoints.push(Number(checkpoint[1]))
    else if (name.endsWith(TEMPORARY_SUFFIX)) temporary.push(name)
  }
  return { segments: segments.sort((a, b) => a - b), checkpoints: checkpoints.sort((a, b) => a - b), temporary }
}
