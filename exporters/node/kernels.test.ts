/** What older and newer kernels leave out: upstream's answers, read off node_exporter 1.11 on the same trees. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import type { Flags } from '../contract.ts'
import { temporaryFolder, testEnv } from '../testing/env.ts'
import { createNodeExporter } from './mod.ts'

type Row = {
  readonly title: string
  readonly collector: string
  readonly files: Readonly<Record<string, string>>
  readonly shows: readonly string[]
  readonly hides?: RegExp
  readonly flags?: Flags
}

const NVME = { 'sys/class/nvme/nvme0/model': 'Disk\n', 'sys/class/nvme/nvme0/state': 'live\n' }
const NAMESPACE = 'sys/class/nvme/nvme0/nvme0n1'
const CACHE = 'sys/fs/bcache/dead-beef'

const CPU = 'sys/devices/system/cpu'
const CPU_INFO = { 'collector.cpu.info': 'true', 'collector.cpufreq': 'true' }
const STAT = { 'proc/stat': 'cpu  1 2 3 4\ncpu0 1 2 3 4 5 6 7 8 9 10\n' }

const ROWS: readonly Row[] = [
  {
    title: 'CPUs that can be switched off tell whether they are online',
    collector: 'cpu',
    files: { ...STAT, [`${CPU}/cpu0/online`]: '1\n', [`${CPU}/cpu1/online`]: '0\n' },
    shows: ['node_cpu_online{cpu="0"} 1', 'node_cpu_online{cpu="1"} 0'],
  },
  {
    title: 'nothing is said of that where the first CPU is always online',
    collector: 'cpu',
    files: { ...STAT, [`${CPU}/cpu0/topology/core_id`]: '0\n', [`${CPU}/cpu1/online`]: '1\n' },
    shows: ['node_cpu_seconds_total{cpu="0",mode="user"} 0.01'],
    hides: /node_cpu_online/,
  },
  {
    title: 'an interface whose flags cannot be read is neither up nor down',
    collector: 'netclass',
    files: { 'sys/class/net/lan0/operstate': 'up\n', 'sys/class/net/lan1/flags': '0x1002\n' },
    shows: [
      'node_network_info{address="",adminstate="unknown",broadcast="",device="lan0",duplex="",ifalias="",operstate="up"} 1',
      'node_network_info{address="",adminstate="down",broadcast="",device="lan1",duplex="",ifalias="",operstate=""} 1',
    ],
  },
  {
    title: 'CPUs of ARM have their features as flags, and no frequency that is known',
    collector: 'cpu',
    flags: { ...CPU_INFO, 'collector.cpu.info.flags-include': '^(fp|crc32)$' },
    files: {
      ...STAT,
      'proc/cpuinfo':
        'processor\t: 0\nmodel name\t: ARMv8 (v8l)\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd crc32\nCPU part\t: 0xd08\n\nprocessor\t: 1\nFeatures\t: fp\n\nHardware\t: BCM2835\n',
    },
    shows: [
      'node_cpu_info{cachesize="",core="",cpu="0",family="",microcode="",model="",model_name="ARMv8 (v8l)",package="",stepping="",vendor=""} 1',
      'node_cpu_frequency_hertz{core="",cpu="1",package=""} 0',
      'node_cpu_flag_info{flag="crc32"} 1',
    ],
    hides: /asimd/,
  },
  {
    title: 'CPUs of s390x are listed first and told of later',
    collector: 'cpu',
    flags: CPU_INFO,
    files: {
      ...STAT,
      'proc/cpuinfo':
        'vendor_id       : IBM/S390\nfeatures\t: esan3 zarch\nprocessor 0: version = FF,  identification = 2733E8\nprocessor 1: version = FF\n\ncpu number      : 0\nphysical id     : 2\ncore id         : 3\ncpu MHz dynamic : 5000\ncpu MHz static  : 5208\n',
    },
    shows: [
      'node_cpu_info{cachesize="",core="3",cpu="0",family="",microcode="",model="",model_name="",package="2",stepping="",vendor="IBM/S390"} 1',
      'node_cpu_info{cachesize="",core="",cpu="1",family="",microcode="",model="",model_name="",package="",stepping="",vendor="IBM/S390"} 1',
      'node_cpu_frequency_hertz{core="3",cpu="0",package="2"} 5e+09',
    ],
  },
  {
    title:
      'CPUs of POWER and RISC-V under their own names for things; no frequency without the collector of frequencies',
    collector: 'cpu',
    flags: { 'collector.cpu.info': 'true' },
    files: {
      ...STAT,
      'proc/cpuinfo':
        'processor\t: 0\ncpu\t\t: POWER7 (architected)\nclock\t\t: 3000.000000MHz\n\nprocessor\t: 1\nhart\t: 4\nisa\t: rv64imafdc\n\ntimebase\t: 512000000\nmodel\t\t: IBM,8233-E8B\n',
    },
    shows: [
      'node_cpu_info{cachesize="",core="",cpu="0",family="",microcode="",model="IBM,8233-E8B",model_name="",package="",stepping="",vendor="POWER7 (architected)"} 1',
      'node_cpu_info{cachesize="",core="4",cpu="1",family="",microcode="",model="IBM,8233-E8B",model_name="rv64imafdc",package="",stepping="",vendor=""} 1',
    ],
    hides: /frequency_hertz/,
  },
  {
    title: 'an NFS client that has version 4 alone counts 0 for the others',
    collector: 'nfs',
    files: { 'proc/net/rpc/nfs': 'net 1 2 3 4\nrpc 25 0 1\nproc4 3 7 8 9\n' },
    shows: [
      'node_nfs_requests_total{method="Write",proto="2"} 0',
      'node_nfs_requests_total{method="Commit",proto="3"} 0',
      'node_nfs_requests_total{method="Read",proto="4"} 8',
      'node_nfs_requests_total{method="Clone",proto="4"} 0',
    ],
  },
  {
    title: 'an NFS server without version 2, and without delegated attributes, counts 0 for them',
    collector: 'nfsd',
    files: {
      'proc/net/rpc/nfsd': `rc 0 6 18622\nth 8 0\nproc3 22 2 112${' 0'.repeat(20)}\nproc4 2 2 10853\nproc4ops 39 0 0 0 9${' 0'.repeat(35)}\n`,
    },
    shows: [
      'node_nfsd_requests_total{method="Write",proto="2"} 0',
      'node_nfsd_requests_total{method="GetAttr",proto="3"} 112',
      'node_nfsd_requests_total{method="Access",proto="4"} 9',
      'node_nfsd_requests_total{method="WdelegGetattr",proto="4"} 0',
      'node_nfsd_read_ahead_cache_size_blocks 0',
    ],
    hides: /method="Null"/,
  },
  {
    title: 'a bcache without readaheads, which Linux 5.18 removed, does not count them; what else it lacks is 0',
    collector: 'bcache',
    files: {
      [`${CACHE}/internal/btree_nodes`]: '3\n',
      [`${CACHE}/bdev0/stats_total/cache_hits`]: '546\n',
    },
    shows: [
      'node_bcache_btree_nodes{uuid="dead-beef"} 3',
      'node_bcache_cache_hits_total{backing_device="bdev0",uuid="dead-beef"} 546',
      'node_bcache_cache_misses_total{backing_device="bdev0",uuid="dead-beef"} 0',
      'node_bcache_dirty_data_bytes{backing_device="bdev0",uuid="dead-beef"} 0',
    ],
    hides: /readaheads/,
  },
  {
    title: 'an NVMe namespace of a kernel that does not tell how much is used has its size all the same',
    collector: 'nvme',
    files: { ...NVME, [`${NAMESPACE}/size`]: '100\n', [`${NAMESPACE}/queue/logical_block_size`]: '512\n' },
    shows: [
      'node_nvme_namespace_capacity_bytes{device="nvme0",nsid="1"} 51200',
      'node_nvme_namespace_size_bytes{device="nvme0",nsid="1"} 51200',
      'node_nvme_namespace_logical_block_size_bytes{device="nvme0",nsid="1"} 512',
      'node_nvme_namespace_info{ana_state="unknown",device="nvme0",nsid="1"} 1',
    ],
    hides: /used_bytes/,
  },
  {
    title: 'a kstat with more behind its number counts as the number',
    collector: 'zfs',
    files: {
      'proc/spl/kstat/zfs/arcstats': '1 1\nname type data\nhits 4 87 more\nmisses 4 6\n',
      'proc/spl/kstat/zfs/tank/objset-1': '1 1\nname type data\ndataset_name 7 tank/a b\nwrites 4 5 more\n',
    },
    shows: [
      'node_zfs_arc_hits 87',
      'node_zfs_arc_misses 6',
      'node_zfs_zpool_dataset_writes{dataset="tank/a b",zpool="tank"} 5',
    ],
  },
  {
    title: 'a row of softirqs that ends early has the CPUs that it has',
    collector: 'softirqs',
    files: { 'proc/softirqs': '          CPU0  CPU1\n   HI:  3\nTIMER:  4  5  6\n' },
    shows: [
      'node_softirqs_functions_total{cpu="0",type="HI"} 3',
      'node_softirqs_functions_total{cpu="1",type="TIMER"} 5',
    ],
    hides: /cpu="1",type="HI"/,
  },
  {
    title: 'sockets of a host without IPv4',
    collector: 'sockstat',
    files: { 'proc/net/sockstat6': 'TCP6: inuse 17\n' },
    shows: ['node_sockstat_TCP6_inuse 17'],
  },
  {
    title: 'ZFS: lines without a value, and a pool of which there are no figures of input and output yet',
    collector: 'zfs',
    files: {
      'proc/spl/kstat/zfs/arcstats': '13 1 0x01 2 4\nname type data\nhits 4 7\nmisses 4\n',
      'proc/spl/kstat/zfs/tank/io': '12 3 0x00 1 80\nnread nwritten\n',
    },
    shows: ['node_zfs_arc_hits 7'],
    hides: /misses|nread/,
  },
]

/** Upstream sends each metric as it reads it: what comes before a failure is there. */
const PARTIAL: readonly Omit<(typeof ROWS)[number], 'title'>[] = [
  {
    collector: 'conntrack',
    files: {
      'proc/sys/net/netfilter/nf_conntrack_count': '123\n',
      'proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
    },
    shows: ['node_nf_conntrack_entries 123', 'node_nf_conntrack_entries_limit 65536'],
    hides: /nf_conntrack_stat/,
  },
  {
    collector: 'ipvs',
    files: { 'proc/net/ip_vs_stats': ' Total\n Conns\n 16A 2 3 4 5\n' },
    shows: ['node_ipvs_connections_total 362'],
  },
  {
    collector: 'sysctl',
    files: { 'proc/sys/kernel/threads-max': '7801\n' },
    flags: { 'collector.sysctl.include': ['kernel.threads-max', 'kernel.nothing'] },
    shows: ['node_sysctl_kernel_threads_max 7801'],
  },
  {
    collector: 'zfs',
    files: {
      'proc/spl/kstat/zfs/arcstats': 'name type data\nhits 4 7\n',
      'proc/spl/kstat/zfs/tank/io':
        'nread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt\nx1 2\n',
    },
    shows: ['node_zfs_arc_hits 7'],
  },
]

for (const [success, rows] of [
  [1, ROWS],
  [0, PARTIAL.map((row) => ({ ...row, title: `${row.collector}: what was read before a failure is shown` }))],
] as const)
  for (const { title, collector, files, shows, hides, flags: more = {} } of rows)
    test(title, async () => {
      const root = temporaryFolder(files)
      const flags = {
        'path.procfs': `${root}/proc`,
        'path.sysfs': `${root}/sys`,
        'collector.disable-defaults': 'true',
        [`collector.${collector}`]: 'true',
        ...more,
      }
      const text = formatExposition(await createNodeExporter({ ...testEnv, flags, version: 't' }).collect())
      for (const line of [...shows, `node_scrape_collector_success{collector="${collector}"} ${success}`])
        assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`)
      if (hides) assert.doesNotMatch(text, hides)
    })
