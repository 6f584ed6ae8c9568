/** Kinds of records of the log; records.ts says what is in them, and needs a codec for it that many threads do without. */
export const RecordType = {
  batch: 1,
  remoteWrite: 2,
  identity: 3,
  local: 4,
  rules: 5,
  write: 6,
  definitions: 7,
  rows: 8,
  accepted: 9,
  refused: 10,
  zeros: 11,
  agent: 16,
  head: 17,
  source: 18,
} as const
export type RecordType = (typeof RecordType)[keyof typeof RecordType]
