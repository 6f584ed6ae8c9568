/** Events of perf, by the names of upstream's flags. Numbers: Linux include/uapi/linux/perf_event.h. */
export type PerfEventKind = {
  /** As the flags name it. */
  readonly flag: string
  /** PERF_TYPE_*. */
  readonly type: number
  readonly config: bigint
  /** Without `node_perf_`. */
  readonly name: string
  readonly help: string
}

type Row = readonly [flag: string, config: number, name: string, help: string]

const HARDWARE = 0
const SOFTWARE = 1
const HW_CACHE = 3

const events = (type: number, rows: readonly Row[]): PerfEventKind[] =>
  rows.map(([flag, config, name, help]) => ({ flag, type, config: BigInt(config), name: `${name}_total`, help }))

export const HARDWARE_EVENTS = events(HARDWARE, [
  ['CpuCycles', 0, 'cpucycles', 'Number of CPU cycles (frequency scaled)'],
  ['CpuInstr', 1, 'instructions', 'Number of CPU instructions'],
  ['CacheRef', 2, 'cache_refs', 'Number of cache references (non frequency scaled)'],
  ['CacheMisses', 3, 'cache_misses', 'Number of cache misses'],
  ['BranchInstr', 4, 'branch_instructions', 'Number of CPU branch instructions'],
  ['BranchMisses', 5, 'branch_misses', 'Number of CPU branch misses'],
  ['StalledCyclesFrontend', 7, 'stalled_cycles_frontend', 'Number of stalled frontend CPU cycles'],
  ['StalledCyclesBackend', 8, 'stalled_cycles_backend', 'Number of stalled backend CPU cycles'],
  ['RefCpuCycles', 9, 'ref_cpucycles', 'Number of CPU cycles'],
])

export const SOFTWARE_EVENTS = events(SOFTWARE, [
  ['PageFault', 2, 'page_faults', 'Number of page faults'],
  ['ContextSwitch', 3, 'context_switches', 'Number of context switches'],
  ['CpuMigration', 4, 'cpu_migrations', 'Number of CPU process migrations'],
  ['MinorFault', 5, 'minor_faults', 'Number of minor page faults'],
  ['MajorFault', 6, 'major_faults', 'Number of major page faults'],
])

const CACHE = { l1d: 0, l1i: 1, ll: 2, dtlb: 3, itlb: 4, bpu: 5 } as const
const READ = 0
const WRITE = 1
const ACCESS = 0
const MISS = 1
const cache = (id: number, operation: number, result: number): number => id | (operation << 8) | (result << 16)

export const CACHE_EVENTS = events(HW_CACHE, [
  ['L1DataReadHit', cache(CACHE.l1d, READ, ACCESS), 'cache_l1d_read_hits', 'Number L1 data cache read hits'],
  ['L1DataReadMiss', cache(CACHE.l1d, READ, MISS), 'cache_l1d_read_misses', 'Number L1 data cache read misses'],
  ['L1DataWriteHit', cache(CACHE.l1d, WRITE, ACCESS), 'cache_l1d_write_hits', 'Number L1 data cache write hits'],
  [
    'L1InstrReadMiss',
    cache(CACHE.l1i, READ, MISS),
    'cache_l1_instr_read_misses',
    'Number instruction L1 instruction read misses',
  ],
  ['InstrTLBReadHit', cache(CACHE.itlb, READ, ACCESS), 'cache_tlb_instr_read_hits', 'Number instruction TLB read hits'],
  [
    'InstrTLBReadMiss',
    cache(CACHE.itlb, READ, MISS),
    'cache_tlb_instr_read_misses',
    'Number instruction TLB read misses',
  ],
  ['DataTLBReadHit', cache(CACHE.dtlb, READ, ACCESS), 'cache_tlb_data_read_hits', 'Number of data TLB read hits'],
  ['DataTLBReadMiss', cache(CACHE.dtlb, READ, MISS), 'cache_tlb_data_read_misses', 'Number of data TLB read misses'],
  ['DataTLBWriteHit', cache(CACHE.dtlb, WRITE, ACCESS), 'cache_tlb_data_write_hits', 'Number of data TLB write hits'],
  [
    'DataTLBWriteMiss',
    cache(CACHE.dtlb, WRITE, MISS),
    'cache_tlb_data_write_misses',
    'Number of data TLB write misses',
  ],
  ['LLReadHit', cache(CACHE.ll, READ, ACCESS), 'cache_ll_read_hits', 'Number last level read hits'],
  ['LLReadMiss', cache(CACHE.ll, READ, MISS), 'cache_ll_read_misses', 'Number last level read misses'],
  ['LLWriteHit', cache(CACHE.ll, WRITE, ACCESS), 'cache_ll_write_hits', 'Number last level write hits'],
  ['LLWriteMiss', cache(CACHE.ll, WRITE, MISS), 'cache_ll_write_misses', 'Number last level write misses'],
  ['BPUReadHit', cache(CACHE.bpu, READ, ACCESS), 'cache_bpu_read_hits', 'Number BPU read hits'],
  ['BPUReadMiss', cache(CACHE.bpu, READ, MISS), 'cache_bpu_read_misses', 'Number BPU read misses'],
])
