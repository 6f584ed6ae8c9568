/** What a store of blocks has done and found since it was opened. */
export type BlockStoreCounters = {
  cut: number
  compacted: number
  /** Of `compacted`: for the sake of blocks that overlapped. */
  overlapping: number
  /** Written anew without what was deleted, or is beyond the retention of its series. */
  rewritten: number
  removed: number
  /** Rounds of retention that removed blocks for their age, and for the size of all. */
  timeRetentions: number
  sizeRetentions: number
  /** Set aside whole, under `<id>.damaged`. */
  damagedBlocks: number
  /** Met while merging. */
  damagedRuns: number
  /** No longer in the list of damages, or never for want of room. */
  damagesForgotten: number
}

export function newCounters(): BlockStoreCounters {
  return {
    cut: 0,
    compacted: 0,
    overlapping: 0,
    rewritten: 0,
    removed: 0,
    timeRetentions: 0,
    sizeRetentions: 0,
    damagedBlocks: 0,
    damagedRuns: 0,
    damagesForgotten: 0,
  }
}
