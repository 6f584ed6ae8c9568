/**
 * Every checksum of a data directory at rest: blocks (meta, index, each run of chunks), the log and its checkpoints, the
 * list of deletions. It changes nothing.
 */
import type { Compressor } from '../../protocol/batch/mod.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import { type Disk, DiskError } from '../../protocol/env/mod.ts'
import {
  BLOCKS_FOLDER,
  BlockDamagedError,
  countRows,
  metaCopyDamage,
  openBlock,
  RunCache,
  TOMBSTONES_FILE,
  tombstonesDamage,
} from '../block/mod.ts'
import { createSampleBuffer } from '../tsdb/mod.ts'
import {
  CHECKPOINT_END,
  checkpointName,
  decodeHeaderPage,
  HEADER_PAGE_BYTES,
  listFiles,
  scanFile,
  segmentName,
} from '../wal/mod.ts'
import type { Progress } from './progress.ts'

export type Finding = {
  readonly file: string
  readonly offset: number
  readonly what: string
  /** False: it is as a crash leaves it, or was set aside before. */
  readonly isDamage: boolean
}

export type VerifyReport = { readonly findings: readonly Finding[]; readonly files: number; readonly sizeBytes: number }

const EVER = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
const BLOCK = /^-?\d+--?\d+-\d+$/
const RUN = /run at byte (\d+)/
const INDEX_HEADER_BYTES = 16
const CACHE_BYTES = 16 << 20

/** @throws DiskError of what is no damage: a folder that cannot be read */
export function verifyData(disk: Disk, compressor: Compressor, dataPath: string, progress: Progress): VerifyReport {
  const findings: Finding[] = []
  let files = 0
  let sizeBytes = 0
  const looked = (file: string): void => {
    files++
    sizeBytes += disk.stat(file)?.sizeBytes ?? 0
  }
  const blocks = `${dataPath}/${BLOCKS_FOLDER}`
  const names = disk.stat(blocks) ? disk.readDirectory(blocks) : []
  progress.begin('verifying blocks', names.length)
  for (const name of names) {
    if (BLOCK.test(name)) {
      for (const each of verifyBlock(disk, compressor, `${blocks}/${name}`)) findings.push(each)
      for (const file of ['meta.json', 'meta.copy.json', 'index', 'chunks']) looked(`${blocks}/${name}/${file}`)
    } else if (name.endsWith('.damaged'))
      findings.push({ file: `${blocks}/${name}`, offset: 0, what: 'set aside before', isDamage: false })
    progress.advance(1)
  }
  progress.end()
  const deletions = `${dataPath}/${TOMBSTONES_FILE}`
  const why = tombstonesDamage(disk, deletions)
  if (why !== null) findings.push({ file: deletions, offset: 0, what: `deletions: ${why}`, isDamage: true })
  if (disk.stat(deletions)) looked(deletions)
  findings.push(...verifyLog(disk, dataPath, progress, looked))
  return { findings, files, sizeBytes }
}

/** The log and its checkpoints alone; `looked` hears of every file. @throws DiskError */
export function verifyLog(
  disk: Disk,
  dataPath: string,
  progress: Progress,
  looked: (file: string) => void = () => {},
): Finding[] {
  const wal = `${dataPath}/wal`
  if (!disk.stat(wal)) return []
  const { segments, checkpoints } = listFiles(disk.readDirectory(wal))
  const findings: Finding[] = []
  const look = (name: string, kind: LogFileKind): void => {
    findings.push(...verifyLogFile(disk, `${wal}/${name}`, kind))
    looked(`${wal}/${name}`)
    progress.advance(1)
  }
  progress.begin('verifying the log', segments.length + checkpoints.length)
  for (const index of checkpoints) look(checkpointName(index), 'checkpoint')
  for (const index of segments) look(segmentName(index), index === segments.at(-1) ? 'last segment' : 'segment')
  const from = checkpoints.at(-1) ?? segments[0] ?? 0
  for (let index = from; index < (segments.at(-1) ?? from); index++)
    if (!segments.includes(index))
      findings.push({ file: `${wal}/${segmentName(index)}`, offset: 0, what: 'the segment is missing', isDamage: true })
  progress.end()
  return findings
}

export function verifyBlock(disk: Disk, compressor: Compressor, path: string): Finding[] {
  const findings: Finding[] = []
  const damaged = (error: BlockDamagedError): void => void findings.push(placeOf(disk, path, error))
  try {
    const block = openBlock({ disk, compressor }, path, { cache: new RunCache(CACHE_BYTES), onDamage: damaged })
    const ofCopy = metaCopyDamage(disk, path)
    if (ofCopy) damaged(ofCopy)
    try {
      const samples = createSampleBuffer(1024)
      let count = 0
      for (const ref of block.select([], EVER)) {
        block.read(ref, EVER, samples)
        count += samples.count
      }
      const rows = countRows(block)
      const ofMeta = (block.meta.tiers ?? []).reduce((sum, tier) => sum + tier.rows, 0)
      if (rows !== ofMeta && findings.length === 0)
        findings.push({
          file: `${path}/chunks`,
          offset: 0,
          what: `${rows} downsampled windows, and meta.json says ${ofMeta}`,
          isDamage: true,
        })
      if (count !== block.meta.stats.samples && findings.length === 0)
        findings.push({
          file: `${path}/chunks`,
          offset: 0,
          what: `${count} samples, and meta.json says ${block.meta.stats.samples}`,
          isDamage: true,
        })
    } finally {
      block.close()
    }
  } catch (error) {
    if (error instanceof BlockDamagedError) damaged(error)
    else if (error instanceof DiskError)
      findings.push({
        file: error.path,
        offset: 0,
        what: error.code === 'ENOENT' ? 'the file is missing' : error.message,
        isDamage: true,
      })
    else throw error
  }
  return findings
}

/** Which file, and where in it. */
function placeOf(disk: Disk, path: string, error: BlockDamagedError): Finding {
  const { piece } = error
  const what = `${piece}: ${error.why}`
  const run = RUN.exec(piece)
  if (run) return { file: `${path}/chunks`, offset: Number(run[1]), what, isDamage: true }
  if (piece.startsWith('meta')) return { file: `${path}/${piece}`, offset: 0, what, isDamage: true }
  if (!piece.startsWith('index')) return { file: `${path}/chunks`, offset: 0, what, isDamage: true }
  return { file: `${path}/index`, offset: firstBadSection(disk.readFile(`${path}/index`)), what, isDamage: true }
}

/** Where the first section of an index begins whose checksum does not match; its layout is in hub/block/index-format.ts. */
function firstBadSection(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < INDEX_HEADER_BYTES || view.getUint32(12, true) !== crc32c(bytes, 0, 12)) return 0
  for (let at = INDEX_HEADER_BYTES; at < bytes.length; ) {
    const from = at + INDEX_HEADER_BYTES
    if (from > bytes.length) return at
    const to = from + view.getUint32(at + 8, true)
    if (to > bytes.length || crc32c(bytes, from, to, crc32c(bytes, at, at + 12)) !== view.getUint32(at + 12, true))
      return at
    at = to
  }
  return bytes.length
}

type LogFileKind = 'checkpoint' | 'segment' | 'last segment'

function verifyLogFile(disk: Disk, path: string, kind: LogFileKind): Finding[] {
  const file = disk.open(path, 'r')
  try {
    const page = new Uint8Array(HEADER_PAGE_BYTES)
    const header = decodeHeaderPage(page.subarray(0, file.read(page, 0, page.length, 0)))
    if (!header) {
      const isUnborn = kind === 'last segment' && file.size() <= HEADER_PAGE_BYTES
      return [
        {
          file: path,
          offset: 0,
          what: isUnborn ? 'its creation was cut short' : 'the header page is unreadable',
          isDamage: !isUnborn,
        },
      ]
    }
    let last = 0
    const { damaged, soundBytes, sizeBytes } = scanFile(file, header.key, (type) => {
      last = type
    })
    const findings: Finding[] = damaged.map(([from, to]) => ({
      file: path,
      offset: from,
      what: `no sound record up to byte ${to}: ${to - from} bytes are lost`,
      isDamage: true,
    }))
    if (!header.whole)
      findings.unshift({
        file: path,
        offset: 0,
        what: 'one of the two headers is damaged, the other is used',
        isDamage: true,
      })
    if (soundBytes < sizeBytes) {
      const bytes = sizeBytes - soundBytes
      const isTorn = kind === 'last segment'
      findings.push({
        file: path,
        offset: soundBytes,
        what: isTorn
          ? `torn tail of ${bytes} bytes, as a crash leaves it; it was not acknowledged`
          : `no sound record in the last ${bytes} bytes`,
        isDamage: !isTorn,
      })
    } else if (kind === 'checkpoint' && last !== CHECKPOINT_END)
      findings.push({ file: path, offset: soundBytes, what: 'the checkpoint is not complete', isDamage: true })
    return findings
  } finally {
    file.close()
  }
}
