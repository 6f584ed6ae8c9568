/**
 * Where everything is in the head's shared memory: offsets of the control page and of every record, in 32-bit words.
 * Writer and readers agree through this file alone.
 *
 * An address is a word index into a space of 16 MiB slots (`slot << 22 | word`), 0 is "none". A page may be smaller
 * than its slot (the first ones are), and a page larger than a slot takes several neighbouring ones.
 *
 *   control      counters, roots, allocator, reader slots, table directories (one SharedArrayBuffer of its own)
 *   series       16 words a record: labels, chunk lists, and the open run of the newest samples
 *   symbol       4 words: bytes, hash, first label pair with this name, reference count
 *   pair         8 words: name, value, postings list, its neighbours among the pairs of the same name
 *   group        16 words: the time column that series scraped together share
 *   exemplar     96 words: one slot of the circular buffer
 */
export const PAGE_SHIFT = 22
export const PAGE_MASK = (1 << PAGE_SHIFT) - 1
export const SLOT_WORDS = 1 << PAGE_SHIFT

export const MAGIC = 0x48454144
/** Of the memory layout; a snapshot of another version is refused. */
export const LAYOUT_VERSION = 1

/** Control words. The ones named `F64` are indexes of doubles over the same bytes. */
export const C_MAGIC = 0
export const C_VERSION = 1
/** Pages that exist; a reader that knows fewer may meet an address that it cannot resolve. */
export const C_PAGES = 2
export const C_EPOCH = 3
/** Raised when a recycled id or segment makes what threads have cached about ids untrue. */
export const C_GENERATION = 4
export const C_SYMBOL_HASH = 5
export const C_PAIR_HASH = 6
export const C_METADATA = 7
export const C_LIVE_SERIES = 8
export const C_EXEMPLARS_WRITTEN = 9
export const C_EXEMPLAR_SLOTS = 10
export const C_SAMPLES_PRESENT = 11
/** The process whose log names series by the refs of this head; a snapshot carries it to the next. */
export const C_LOG_LIFE = 12
/** Closed chunks of all series + 1, as of the snapshot; 0: not counted. */
export const C_CHUNKS = 13
/** Raised by evict() before anything is gone. */
export const C_EVICTIONS = 14
/** Odd while chunks are taken away, raised again when that is done. */
export const C_DROPS = 15
/** No sample older than this is answered; set by trim(). */
export const C_FLOOR_F64 = 8
export const C_MIN_TIME_F64 = 9
export const C_MAX_TIME_F64 = 10
/** Writer's own numbers, kept here so that a snapshot has them. */
export const C_SAMPLES_F64 = 11
export const C_SAMPLE_BYTES_F64 = 12
/** In-order samples older than this are in blocks and not answered; what came late is. Set by evict(). */
export const C_EVICTED_F64 = 13
/** Appends before it go the way of late ones; a snapshot must have it, or a time could come to stand in both. */
export const C_CLOSED_F64 = 14
export const C_BUMP = 32
export const C_BUMP_END = 33
export const C_FREE_LISTS = 40
export const FREE_CLASSES = 80
export const C_TABLES = C_FREE_LISTS + FREE_CLASSES
export const TABLE_COUNT = 5
export const C_SLOTS = C_TABLES + 8
export const READER_SLOTS = 512
export const C_DIRECTORIES = C_SLOTS + 2 * READER_SLOTS
export const DIRECTORY_TOP = 512
export const DIRECTORY_BLOCK = 4096
export const CONTROL_BYTES = 4 * (C_DIRECTORIES + TABLE_COUNT * DIRECTORY_TOP)

/** Tables: index into the directories, words a record, log2 of records a segment. */
export type TableSpec = { readonly index: number; readonly words: number; readonly shift: number }
export const SERIES: TableSpec = { index: 0, words: 16, shift: 10 }
export const SYMBOLS: TableSpec = { index: 1, words: 4, shift: 10 }
export const PAIRS: TableSpec = { index: 2, words: 8, shift: 10 }
export const GROUPS: TableSpec = { index: 3, words: 16, shift: 6 }
export const EXEMPLARS: TableSpec = { index: 4, words: 96, shift: 6 }

/** Series record. */
export const S_LABELS = 0
export const S_HASH = 1
/** Creation order stamp of the last trim that found the series without samples; see trim(). */
export const S_IDLE = 2
/** Odd while the writer changes more than the open run's length; readers retry. */
export const S_VERSION = 3
export const S_FIRST = 4
export const S_LAST = 5
/** kind (bits 0-3) | dead (bit 4) | samples in the open run (bits 8-31): one store appends a sample. */
export const S_STATE = 6
/** Values of the open run; 0 when all of them equal `S_PREV`. */
export const S_RAW = 7
/** Open run of kind group: its first tick, and the group. Of own-time kinds: the base time, a double. */
export const S_TICK = 8
export const S_GROUP = 9
export const S_BASE_F64 = 4
/** The sample value before the open run (bits), from which its encoding starts. */
export const S_PREV = 10
/** Samples older than the newest, sorted, and the chunks of them that were full. */
export const S_OOO_RAW = 12
export const S_OOO = 13
export const S_LAST_TIME_F64 = 7

export const KIND_MASK = 0xf
export const DEAD = 0x10
export const COUNT_SHIFT = 8
export const COUNT_ONE = 1 << COUNT_SHIFT
/** Kind and dead flag in one mask: a live series of kind group compares equal to `Kind.group`. */
export const LIVE_KIND_MASK = KIND_MASK | DEAD

export const Kind = { none: 0, group: 1, own: 2, ownStart: 3, histogram: 4 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Samples of a run: what one encoding covers. */
export const RUN = 16
/** Of a chunk, all runs together; also the longest open run of equal values. */
export const CHUNK_SAMPLES_MAX = 960

/** Chunk block: header, then runs as bytes. */
export const K_NEXT = 0
/** kind (0-3) | size class (4-11) | samples (12-31). */
export const K_META = 1
/** Payload bytes used; of float kinds the upper half is the offset + 1 of the last run when it is a long constant one. */
export const K_USED = 2
/** Group, or (own times, histograms) last time - base time in ms. */
export const K_GROUP = 3
export const K_LAST_OFFSET = 3
export const K_PREV = 4
export const K_TICK = 6
/** One past the last tick. */
export const K_END_TICK = 7
export const K_BASE_F64 = 3
export const K_HEADER = 8
export const K_COUNT_SHIFT = 12
export const K_CLASS_SHIFT = 4

/** Symbol record. */
export const Y_BYTES = 0
export const Y_HASH = 1
/** Id + 1 of the first pair whose name this is. */
export const Y_PAIRS = 2
export const Y_USES = 3

/** Label pair record. */
export const P_NAME = 0
export const P_VALUE = 1
export const P_HEAD = 2
export const P_TAIL = 3
/** Refs in the list, and how many of them are dead. */
export const P_COUNT = 4
export const P_DEAD = 5
/** Id + 1 of the neighbours in the name's list. */
export const P_NEXT = 6
export const P_PREVIOUS = 7
export const NO_NAME = 0xffffffff

/** Postings block: next, used, capacity, then refs. */
export const L_NEXT = 0
export const L_USED = 1
export const L_CAPACITY = 2
export const L_HEADER = 3

/** Group record. */
export const G_PUBLISHED = 0
export const G_TICKS = 1
export const G_DIRECTORY = 2
/** 1 + chunks and open runs that use the group's ticks; 0 is a free record. */
export const G_USES = 3
export const G_LAST_TIME_F64 = 2
/** Group directory block: number of the first time block, capacity, addresses. */
export const D_FIRST = 0
export const D_CAPACITY = 1
export const D_HEADER = 2
/** Time block: base time as a double, then offsets in ms. */
export const T_TICKS_SHIFT = 6
export const T_TICKS = 1 << T_TICKS_SHIFT
export const T_HEADER = 2
export const T_OFFSET_MAX = 0xffffffff

/** Out-of-order buffer: used, capacity, then times, values, start times (doubles, `capacity` of each). */
export const O_USED = 0
export const O_CAPACITY = 1
export const O_HEADER = 2

/** Exemplar slot. */
export const E_VERSION = 0
/** Ref + 1. */
export const E_REF = 1
export const E_TIME_F64 = 1
export const E_VALUE_F64 = 2
export const E_BYTES = 6
export const E_HAS_TIME = 7
export const E_PAYLOAD = 8

/** Metadata block: next, family, type, help, unit (symbols). */
export const M_NEXT = 0
export const M_FAMILY = 1
export const M_TYPE = 2
export const M_HELP = 3
export const M_UNIT = 4
export const M_WORDS = 5
